// SPDX-License-Identifier: GPL-2.0

//! About the ids that a program shall have.

use super::*;

#[test]
fn an_id_that_is_not_mapped() {
    let mut program = Execns::new("/bin/sh");

    program
        .unshare(Namespaces::USER)
        .map_uid(0, 1000, 1)
        .map_gid(0, 1000, 1)
        .uid(0)
        .gid(7);
    assert_eq!(
        diagnose(&program, libc::EINVAL, &|call| call.gid == 7),
        ErrorKind::IdNotMapped {
            which: Ids::Gid,
            id: 7
        }
    );
    assert_eq!(
        at_sight(&program, libc::EAGAIN),
        ErrorKind::TooManyProcesses
    );
}

#[test]
fn groups_that_can_not_be_left() {
    let mut program = everything();

    program.drop_groups().uid(0);
    let kind = diagnose(&program, libc::EPERM, &|call| {
        call.flags & abi::EXECNS_DROP_GROUPS != 0
    });
    assert!(
        matches!(
            kind,
            ErrorKind::NotPermitted {
                argument: Argument::DropGroups,
                ..
            }
        ),
        "{kind:?}"
    );
}

#[test]
fn ids_need_a_user_namespace() {
    let mut program = Execns::new("/bin/sh");

    program.unshare(Namespaces::MOUNT).gid(0);
    assert_eq!(
        at_sight(&program, libc::EINVAL),
        ErrorKind::NeedsNamespace {
            argument: Argument::Id(Ids::Gid),
            namespace: Namespaces::USER
        }
    );
}

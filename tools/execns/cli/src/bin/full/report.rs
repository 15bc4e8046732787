// SPDX-License-Identifier: GPL-2.0

//! What is wrong, and what to type.

use execns_abi::{EXECNS_SET_IDS, EXECNS_SETGROUPS_ALLOW, EXECNS_SETGROUPS_DENY, ExecnsIdMap};
use execns_cli::failure::Line;
use execns_cli::grammar::{Given, Id, OPTIONS};
use execns_cli::options::Problem;
use execns_cli::plan::Plan;
use execns_cli::run::{Failure, Step};
use execns_cli::sys::{self, Errno};
use linux_raw_sys::general::CLONE_NEWUSER;

/// A text about an option.
pub fn option(id: Id, text: &str) -> String {
    let name = OPTIONS
        .iter()
        .find(|option| option.id == id)
        .map_or("", |option| option.long);

    format!("--{name}: {text}")
}

pub fn problem(problem: Problem, given: Option<Given<'_>>) -> String {
    let value = given
        .and_then(|given| given.value)
        .unwrap_or_default()
        .to_string_lossy();
    let text = match problem {
        Problem::NotNumber => format!("{value} is no number, or too large"),
        Problem::NotRange => {
            format!("{value} is no range: type inner:outer:count, such as 0:100000:65536")
        }
        Problem::EmptyRange => format!("{value} has no ids: the last number is how many"),
        Problem::NotDescriptor => {
            format!("{value} is no descriptor: type a number, or two as from:to")
        }
        Problem::NotSignal => format!("there is no signal {value}: type one of kill -l"),
        Problem::NotSetgroups => format!("{value} is neither allow nor deny"),
        Problem::NotPropagation => {
            format!("{value} is neither private, slave, shared nor unchanged")
        }
        Problem::TooMany => "there are too many of them".into(),
        Problem::NeedsUser => "--setgroups is for a new user namespace: type --user as well".into(),
        Problem::NeedsTime => {
            "--monotonic and --boottime are for a new time namespace: type --time as well".into()
        }
        Problem::AllowsGroups => "--setgroups=allow can't be with --map-group, --map-root-user or \
                                  --map-current-user: type --map-groups=INNER:OUTER:COUNT"
            .into(),
        Problem::TwoDescriptors(to) => {
            format!("two descriptors shall be {to}: type --keep-fd N:M with another M")
        }
        Problem::Elsewhere => "that is not for this".into(),
    };

    match given {
        Some(given) => option(given.id, &text),
        None => text,
    }
}

/// Whether a map is one that anybody may have.
fn is_own(map: &[ExecnsIdMap], id: u32) -> bool {
    map.iter()
        .all(|range| range.outside == id && range.count == 1)
}

fn is_own_group(plan: &Plan<'_>) -> bool {
    let allowed = plan.flags & EXECNS_SETGROUPS_ALLOW != 0;
    let denied = plan.flags & EXECNS_SETGROUPS_DENY != 0;

    is_own(&plan.gid_map, sys::egid()) && (denied || (plan.gid_map.is_empty() && !allowed))
}

/// What a failure in the new namespaces comes of.
fn hint(errno: Errno, plan: &Plan<'_>) -> String {
    let has = |kind| plan.unshare & kind != 0;

    match errno {
        Errno::ENOSYS => "this kernel has no execnsat(2), or no CONFIG_USER_NS_EXECNS".into(),
        Errno::EPERM if !has(CLONE_NEWUSER) && plan.unshare != 0 => {
            "type --user as well, or become root".into()
        }
        Errno::EPERM if is_own(&plan.uid_map, sys::euid()) && is_own_group(plan) => {
            "user namespaces are denied: by a chroot, a seccomp filter, a security module, or a \
             sysctl such as kernel.unprivileged_userns_clone"
                .into()
        }
        Errno::EPERM => "without CAP_SETUID and CAP_SETGID, only your own id may be mapped, and \
                         groups only with --setgroups=deny: type --map-root-user"
            .into(),
        Errno::EBADF => {
            let closed = plan.fds.iter().find(|fd| !sys::is_open(fd.from as i32));
            match closed {
                Some(fd) => format!("{} is not open", fd.from),
                None => "a number of --keep-fd is above the limit: see ulimit -n".into(),
            }
        }
        Errno::EINVAL if plan.flags & EXECNS_SET_IDS != 0 => {
            "--setuid and --setgid take ids that --map-users and --map-groups map".into()
        }
        Errno::EINVAL => "ranges of ids may not overlap, and the kernel may be without a kind of \
                          namespace"
            .into(),
        Errno::ENOSPC => {
            "there are too many namespaces: see /proc/sys/user/max_*_namespaces".into()
        }
        Errno::ERANGE => "a clock would be below zero, or too far ahead".into(),
        _ => String::new(),
    }
}

pub fn failure(failure: &Failure<'_>, plan: &Plan<'_>) -> String {
    let mut line = Line::new();

    failure.describe(&mut line);
    let text = String::from_utf8_lossy(line.text()).into_owned();
    let hint = match failure.step {
        Step::Namespaces => hint(failure.errno, plan),
        _ => String::new(),
    };
    if hint.is_empty() {
        text
    } else {
        format!("{text}: {hint}")
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The form of the arguments: the size of the structure, what is beyond it, arrays.

use crate::{Stopwatch, alone, cases, fail, holds, seed};
use execns_abi::{
    AT_EXECVE_CHECK, EXECNS_ARGS_SIZE_VER0 as VER0, ExecnsArgs, MAX_EXTENTS, MAX_TIME_OFFSETS,
};
use execns_guest::probe::{Caller, NUMBERS, PROBE, in_worker};
use execns_guest::sys::at::{Guarded, PAGE, Target};
use proptest::prelude::*;

fn target() -> Target {
    Target::new(libc::AT_FDCWD, PROBE, &[])
}

/// The bytes of a call that only checks, with this many zeroes beyond.
fn bytes(args: &ExecnsArgs, beyond: usize) -> Vec<u8> {
    let mut bytes = vec![0; VER0 + beyond];

    // The members that are tested with.
    bytes[0..8].copy_from_slice(&args.unshare_flags.to_ne_bytes());
    bytes[8..12].copy_from_slice(&args.at_flags.to_ne_bytes());
    for (i, address) in [args.fds, args.uid_map, args.gid_map, args.time_offsets]
        .iter()
        .enumerate()
    {
        bytes[16 + 8 * i..24 + 8 * i].copy_from_slice(&address.to_ne_bytes());
    }
    for (i, nr) in [
        args.nr_fds,
        args.nr_uid_map,
        args.nr_gid_map,
        args.nr_time_offsets,
    ]
    .iter()
    .enumerate()
    {
        bytes[48 + 4 * i..52 + 4 * i].copy_from_slice(&nr.to_ne_bytes());
    }
    bytes
}

fn checking() -> ExecnsArgs {
    ExecnsArgs {
        at_flags: AT_EXECVE_CHECK,
        ..ExecnsArgs::default()
    }
}

/// What a size means, and whether something beyond the structure is not zero.
fn model(size: usize, beyond: bool) -> Result<(), i32> {
    match size {
        _ if size < VER0 => Err(libc::EINVAL),
        _ if size > PAGE || beyond => Err(libc::E2BIG),
        _ => Ok(()),
    }
}

#[test]
fn each_size_is_as_the_model_says() {
    let _alone = alone();
    let _watch = Stopwatch::new("each size");

    in_worker(|| {
        let target = target();
        let bytes = bytes(&checking(), 2 * PAGE);
        let address = bytes.as_ptr().expose_provenance();
        let mut guarded = Guarded::new().map_err(|error| error.to_string())?;
        let sizes = (0..=PAGE + 1).chain([2 * PAGE, u32::MAX as usize, usize::MAX]);

        for size in sizes {
            let result = target.exec_at(address, size);

            if result != model(size, false) {
                return Err(format!("{result:?} for the size {size}"));
            }
            // The last byte can not be read.
            if (VER0..=PAGE).contains(&size) {
                let room = PAGE + 1 - size;

                guarded.bytes().fill(0);
                guarded.bytes()[room..][..VER0.min(size - 1)]
                    .copy_from_slice(&bytes[..VER0.min(size - 1)]);
                let result = target.exec_at(guarded.last(size - 1), size);
                if result != Err(libc::EFAULT) {
                    return Err(format!("{result:?} for {size} bytes but the last"));
                }
            }
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_is_beyond_the_structure_has_to_be_zero() {
    let _alone = alone();
    let _watch = Stopwatch::new("beyond the structure");
    let seed = seed();
    let beyond = (VER0..PAGE + 8, 1..=u8::MAX);
    let strategy = (0..=PAGE + 1, prop::collection::vec(beyond, 0..3), 0..9usize);

    in_worker(|| {
        let target = target();

        holds(seed, cases(3000), &strategy, |(size, beyond, shift)| {
            let mut bytes = bytes(&checking(), PAGE);

            for &(at, byte) in &beyond {
                bytes[at] = byte;
            }
            // At any address, aligned or not.
            bytes.splice(0..0, vec![0xff; shift]);
            let before = Caller::new(&NUMBERS).map_err(fail)?;
            let address = bytes[shift..].as_ptr().expose_provenance();
            let seen = beyond.iter().any(|&(at, _)| at < size);

            prop_assert_eq!(target.exec_at(address, size), model(size, seen));
            prop_assert_eq!(before, Caller::new(&NUMBERS).map_err(fail)?);
            Ok(())
        })
    })
    .unwrap();
}

#[test]
fn arrays_are_as_the_model_says() {
    let _alone = alone();

    in_worker(|| {
        let target = target();
        let guarded = Guarded::new().map_err(|error| error.to_string())?;
        let hole = guarded.last(0) as u64;
        let flags = (libc::CLONE_NEWUSER | libc::CLONE_NEWTIME) as u64;

        for array in 0..4 {
            let max = [64, MAX_EXTENTS, MAX_EXTENTS, MAX_TIME_OFFSETS][array] as u32;

            for address in [0, hole, hole - 8, 1 << 63, u64::MAX - 7] {
                for nr in [0, 1, 2, max, max + 1, u32::MAX] {
                    let mut args = checking();
                    args.unshare_flags = flags;
                    let (to_address, to_nr) = match array {
                        0 => (&mut args.fds, &mut args.nr_fds),
                        1 => (&mut args.uid_map, &mut args.nr_uid_map),
                        2 => (&mut args.gid_map, &mut args.nr_gid_map),
                        _ => (&mut args.time_offsets, &mut args.nr_time_offsets),
                    };
                    (*to_address, *to_nr) = (address, nr);
                    let expected = match (address, nr) {
                        (0, 0) => Ok(()),
                        (0, _) | (_, 0) => Err(libc::EINVAL),
                        _ if nr > max => Err(libc::EINVAL),
                        // One descriptor fits before the hole, and is to be itself.
                        _ if (array, address, nr) == (0, hole - 8, 1) => Ok(()),
                        _ => Err(libc::EFAULT),
                    };
                    let limit = rustix::process::Rlimit {
                        current: Some(64),
                        maximum: Some(4096),
                    };
                    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit)
                        .map_err(|error| error.to_string())?;
                    let bytes = bytes(&args, 0);
                    let result = target.exec_at(bytes.as_ptr().expose_provenance(), VER0);

                    if result != expected {
                        return Err(format!(
                            "{result:?} for {nr} of array {array} at {address:#x}"
                        ));
                    }
                }
            }
        }
        Ok(())
    })
    .unwrap();
}

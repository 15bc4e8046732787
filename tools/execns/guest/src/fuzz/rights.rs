// SPDX-License-Identifier: GPL-2.0

//! Who makes the calls, and what there is to have.

use super::model::Who;
use super::random::Random;
use crate::privilege::Privilege;
use rustix::thread::CapabilitySet;

/// What this kernel has.
pub fn every_capability() -> std::io::Result<CapabilitySet> {
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap")?;
    let last: u32 = last.trim().parse().map_err(std::io::Error::other)?;

    Ok(CapabilitySet::from_bits_retain(u64::MAX >> (63 - last)))
}

/// Those of a block.
pub fn privilege(random: &mut Random) -> (Who, Privilege) {
    match random.below(20) {
        0..9 => (Who::Root, Privilege::ROOT),
        9..11 => (Who::Chrooted, Privilege::ROOT),
        11..16 => {
            let uid = random.pick(&[1000, 1, 77, 65533, 100_000, 4_000_000_000]);
            let user = Privilege {
                id: Some((uid, random.pick(&[uid, 5]))),
                groups: random.pick(&[&[], &[5, 6, 1000]]),
                ..Privilege::USER
            };
            (Who::User, user)
        }
        16..18 => {
            let user = Privilege {
                has: CapabilitySet::from_bits_truncate(random.word()),
                ..Privilege::USER
            };
            (Who::Other, user)
        }
        _ => {
            let every = Privilege::every();
            let one = every[random.below(every.len() as u64) as usize];
            (Who::Other, one)
        }
    }
}

pub fn take_privilege(who: Who, privilege: &Privilege) -> Result<(), String> {
    match who {
        // It is that already, and there is no /proc to look at.
        Who::Root | Who::Chrooted => Ok(()),
        Who::User | Who::Other => privilege.take().map(drop),
    }
}

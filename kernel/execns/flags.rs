// SPDX-License-Identifier: GPL-2.0

//! What the caller asks for.

use kernel::{
    impl_flags,
    nsproxy::flags::*,
    prelude::*, //
};

impl_flags!(
    /// A set of what unshare(2) and execns(2) can be asked for.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub(crate) struct UnshareFlags(u32);

    /// One of what unshare(2) and execns(2) can be asked for.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum UnshareFlag {
        /// A new mount namespace.
        NewMnt = CLONE_NEWNS,
        /// A new UTS namespace.
        NewUts = CLONE_NEWUTS,
        /// A new IPC namespace.
        NewIpc = CLONE_NEWIPC,
        /// A new user namespace.
        NewUser = CLONE_NEWUSER,
        /// A new PID namespace, for the program's children.
        NewPid = CLONE_NEWPID,
        /// A new network namespace.
        NewNet = CLONE_NEWNET,
        /// A new cgroup namespace.
        NewCgroup = CLONE_NEWCGROUP,
        /// A new time namespace.
        NewTime = CLONE_NEWTIME,
        /// A root, working directory and umask that is not shared.
        Fs = CLONE_FS,
        /// Leave the list of semaphore adjustments.
        SysvSem = CLONE_SYSVSEM,
        /// A descriptor table of its own: always.
        Files = CLONE_FILES,
        /// An address space of its own: always.
        Vm = CLONE_VM,
        /// Signal handlers of its own: always.
        SigHand = CLONE_SIGHAND,
        /// A thread group of its own: always.
        Thread = CLONE_THREAD,
        /// A new mount namespace with nothing in it.
        EmptyMnt = UNSHARE_EMPTY_MNTNS,
    }
);

impl UnshareFlags {
    /// Checks the argument of execns(2), and adds what is implied.
    ///
    /// Returns `EINVAL` for a bit that has no meaning. `UNSHARE_EMPTY_MNTNS` is one: no path leads
    /// to a program in an empty mount namespace.
    pub(crate) fn parse(flags: i32) -> Result<Self> {
        let flags = Self::parse_at(u64::from(flags as u32))?;

        if flags.contains(UnshareFlag::EmptyMnt) {
            return Err(EINVAL);
        }
        Ok(flags)
    }

    /// Checks the flags of execnsat(2), which can have a program without a path.
    pub(crate) fn parse_at(flags: u64) -> Result<Self> {
        let bits = u32::try_from(flags)?;

        if bits & !Self::all_bits() != 0 {
            return Err(EINVAL);
        }

        let mut flags = Self(bits);
        if flags.contains(UnshareFlag::EmptyMnt) {
            flags |= UnshareFlag::NewMnt;
        }
        if flags.contains_any(UnshareFlag::NewUser | UnshareFlag::NewMnt) {
            flags |= UnshareFlag::Fs;
        }
        if flags.contains(UnshareFlag::NewIpc) {
            flags |= UnshareFlag::SysvSem;
        }
        Ok(flags)
    }

    /// The bits, as unshare(2) takes them.
    pub(crate) fn bits(self) -> u32 {
        self.into()
    }
}

#[cfg(CONFIG_USER_NS_EXECNS_KUNIT_TEST)]
#[kunit_tests(execns_flags)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_is_known_or_einval() {
        for bit in 0..u64::BITS {
            let flag = 1u64 << bit;
            let known = u64::from(UnshareFlags::all_bits()) & flag != 0;

            assert_eq!(UnshareFlags::parse_at(flag).is_ok(), known);
            if let Ok(flag) = u32::try_from(flag) {
                let known = known && flag != UNSHARE_EMPTY_MNTNS;

                assert_eq!(UnshareFlags::parse(flag as i32).is_ok(), known);
            }
        }
        // No bit is in two of them.
        assert_eq!(UnshareFlags::all_bits().count_ones(), 15);
    }

    #[test]
    fn one_bad_bit_spoils_all() {
        const CLONE_PIDFD: u32 = 0x1000;
        let all = UnshareFlags::all_bits() & !UNSHARE_EMPTY_MNTNS;

        assert!(UnshareFlags::parse(all as i32).is_ok());
        assert!(UnshareFlags::parse((all | CLONE_PIDFD) as i32).is_err());
        assert!(UnshareFlags::parse(-1).is_err());
    }

    #[test]
    fn mount_and_user_namespaces_imply_a_private_fs() {
        for (flag, implied) in [
            (CLONE_NEWNS, true),
            (CLONE_NEWUSER, true),
            (CLONE_NEWUTS, false),
            (CLONE_FS, true),
            (0, false),
        ] {
            let flags = UnshareFlags::parse(flag as i32);

            assert_eq!(flags.map(|f| f.contains(UnshareFlag::Fs)), Ok(implied));
        }
    }

    #[test]
    fn ipc_namespace_implies_leaving_the_adjustments() {
        let flags = UnshareFlags::parse(CLONE_NEWIPC as i32);

        assert_eq!(flags.map(|f| f.contains(UnshareFlag::SysvSem)), Ok(true));
        assert_eq!(UnshareFlags::parse(0), Ok(UnshareFlags::empty()));
    }
}

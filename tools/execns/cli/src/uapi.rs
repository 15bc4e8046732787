// SPDX-License-Identifier: GPL-2.0

//! What the kernel's headers define, and the numbers of system calls.

pub const AT_FDCWD: i32 = -100;
pub const AT_EMPTY_PATH: u32 = 0x1000;
pub const AT_EXECVE_CHECK: u32 = 0x10000;
pub const O_PATH: i32 = 0o10000000;
pub const O_CLOEXEC: i32 = 0o2000000;
#[cfg(target_arch = "x86_64")]
pub const O_DIRECTORY: i32 = 0o200000;
#[cfg(target_arch = "aarch64")]
pub const O_DIRECTORY: i32 = 0o40000;
pub const X_OK: i32 = 1;
pub const F_GETFD: i32 = 1;
pub const MS_NOSUID: usize = 1 << 1;
pub const MS_NODEV: usize = 1 << 2;
pub const MS_NOEXEC: usize = 1 << 3;
pub const MS_REC: usize = 1 << 14;
pub const MS_PRIVATE: usize = 1 << 18;
pub const MS_SLAVE: usize = 1 << 19;
pub const MS_SHARED: usize = 1 << 20;
pub const CLONE_VM: usize = 0x100;
pub const CLONE_NEWTIME: u64 = 0x80;
pub const CLONE_NEWNS: u64 = 0x20000;
pub const CLONE_NEWCGROUP: u64 = 0x2000000;
pub const CLONE_NEWUTS: u64 = 0x4000000;
pub const CLONE_NEWIPC: u64 = 0x8000000;
pub const CLONE_NEWUSER: u64 = 0x10000000;
pub const CLONE_NEWPID: u64 = 0x20000000;
pub const CLONE_NEWNET: u64 = 0x40000000;
pub const SIGINT: u8 = 2;
pub const SIGKILL: u8 = 9;
pub const SIGTERM: u8 = 15;
pub const SIGCHLD: usize = 17;
pub const SIG_BLOCK: usize = 0;
pub const SIG_UNBLOCK: usize = 1;
pub const SIG_SETMASK: usize = 2;
pub const PR_SET_PDEATHSIG: usize = 1;
pub const CLOCK_MONOTONIC: i32 = 1;
pub const CLOCK_BOOTTIME: i32 = 7;

#[cfg(target_arch = "x86_64")]
pub mod nr {
    pub const WRITE: usize = 1;
    pub const RT_SIGACTION: usize = 13;
    pub const RT_SIGPROCMASK: usize = 14;
    pub const GETPID: usize = 39;
    pub const EXECVE: usize = 59;
    pub const KILL: usize = 62;
    pub const FCNTL: usize = 72;
    pub const CHDIR: usize = 80;
    pub const SETUID: usize = 105;
    pub const SETGID: usize = 106;
    pub const GETEUID: usize = 107;
    pub const GETEGID: usize = 108;
    pub const SETGROUPS: usize = 116;
    pub const PRCTL: usize = 157;
    pub const CHROOT: usize = 161;
    pub const MOUNT: usize = 165;
    pub const EXIT_GROUP: usize = 231;
    pub const OPENAT: usize = 257;
    pub const READLINKAT: usize = 267;
    pub const FACCESSAT: usize = 269;
}

#[cfg(target_arch = "aarch64")]
pub mod nr {
    pub const WRITE: usize = 64;
    pub const RT_SIGACTION: usize = 134;
    pub const RT_SIGPROCMASK: usize = 135;
    pub const GETPID: usize = 172;
    pub const EXECVE: usize = 221;
    pub const KILL: usize = 129;
    pub const FCNTL: usize = 25;
    pub const CHDIR: usize = 49;
    pub const SETUID: usize = 146;
    pub const SETGID: usize = 144;
    pub const GETEUID: usize = 175;
    pub const GETEGID: usize = 177;
    pub const SETGROUPS: usize = 159;
    pub const PRCTL: usize = 167;
    pub const CHROOT: usize = 51;
    pub const MOUNT: usize = 40;
    pub const EXIT_GROUP: usize = 94;
    pub const OPENAT: usize = 56;
    pub const READLINKAT: usize = 78;
    pub const FACCESSAT: usize = 48;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_those_of_the_headers() {
        for (ours, theirs) in [
            (O_PATH | O_CLOEXEC, libc::O_PATH | libc::O_CLOEXEC),
            (O_DIRECTORY, libc::O_DIRECTORY),
            (AT_EMPTY_PATH as i32, libc::AT_EMPTY_PATH),
            (CLONE_VM as i32, libc::CLONE_VM),
            (CLONE_NEWTIME as i32, libc::CLONE_NEWTIME),
            (CLONE_NEWNS as i32, libc::CLONE_NEWNS),
            (CLONE_NEWCGROUP as i32, libc::CLONE_NEWCGROUP),
            (CLONE_NEWUTS as i32, libc::CLONE_NEWUTS),
            (CLONE_NEWIPC as i32, libc::CLONE_NEWIPC),
            (CLONE_NEWUSER as i32, libc::CLONE_NEWUSER),
            (CLONE_NEWPID as i32, libc::CLONE_NEWPID),
            (CLONE_NEWNET as i32, libc::CLONE_NEWNET),
            (CLOCK_BOOTTIME, libc::CLOCK_BOOTTIME),
        ] {
            assert_eq!(ours, theirs);
        }
        for (ours, theirs) in [
            (nr::WRITE, libc::SYS_write),
            (nr::RT_SIGACTION, libc::SYS_rt_sigaction),
            (nr::RT_SIGPROCMASK, libc::SYS_rt_sigprocmask),
            (nr::GETPID, libc::SYS_getpid),
            (nr::EXECVE, libc::SYS_execve),
            (nr::KILL, libc::SYS_kill),
            (nr::FCNTL, libc::SYS_fcntl),
            (nr::CHDIR, libc::SYS_chdir),
            (nr::SETUID, libc::SYS_setuid),
            (nr::SETGID, libc::SYS_setgid),
            (nr::GETEUID, libc::SYS_geteuid),
            (nr::GETEGID, libc::SYS_getegid),
            (nr::SETGROUPS, libc::SYS_setgroups),
            (nr::PRCTL, libc::SYS_prctl),
            (nr::CHROOT, libc::SYS_chroot),
            (nr::MOUNT, libc::SYS_mount),
            (nr::EXIT_GROUP, libc::SYS_exit_group),
            (nr::OPENAT, libc::SYS_openat),
            (nr::READLINKAT, libc::SYS_readlinkat),
            (nr::FACCESSAT, libc::SYS_faccessat),
        ] {
            assert_eq!(ours as i64, theirs);
        }
    }
}

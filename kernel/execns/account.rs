// SPDX-License-Identifier: GPL-2.0

//! `/proc/PID/account`: what the user of a task is charged for.
//!
//! Each line has a name, the limit that holds for the task, and what is charged: to the user of
//! the task, and to each that is charged for what this one is, as far as the reader's table of
//! users includes theirs.

use crate::user_table::UserTable;
use kernel::{
    bindings,
    cred::Credential,
    fmt::Display,
    page::PAGE_SHIFT,
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    task::{
        Rlimit,
        Task, //
    },
    user::{
        limits,
        Counter,
        User, //
    }, //
};

/// Prints `/proc/PID/account`. May sleep.
///
/// # Safety
///
/// `m` is what is being read, by the current task, and `task` is valid.
#[export]
pub(crate) unsafe extern "C" fn proc_pid_account(
    m: *mut bindings::seq_file,
    _ns: *mut bindings::pid_namespace,
    _pid: *mut bindings::pid,
    task: *mut bindings::task_struct,
) -> c_int {
    // SAFETY: By the safety requirements.
    let (m, task) = unsafe { (SeqFile::from_raw(m), Task::from_raw(task)) };

    show(m, task);
    0
}

fn show(m: &SeqFile, task: &Task) {
    let cred = Credential::of(task);
    let account = Lines {
        m,
        user: cred.user(),
        seen_from: UserTable::of(m.cred().user()),
    };
    let pages = |rlimit| Some(task.rlimit(rlimit) >> PAGE_SHIFT);
    let number = |rlimit| Some(task.rlimit(rlimit));
    let ns = m.cred().user_ns();

    account.line("uid", "-", |user| ns.uid_munged(user.uid()));
    account.counter(
        "pipe_pages_soft",
        limits::pipe_pages_soft(),
        Counter::PipeBufs,
    );
    account.counter(
        "pipe_pages_hard",
        limits::pipe_pages_hard(),
        Counter::PipeBufs,
    );
    #[cfg(CONFIG_EPOLL)]
    account.line(
        "epoll_watches",
        limits::epoll_watches(),
        User::epoll_watches,
    );
    account.counter(
        "unix_inflight",
        number(Rlimit::Nofile),
        Counter::UnixInflight,
    );
    account.counter("locked_pages", pages(Rlimit::Memlock), Counter::LockedVm);
    #[cfg(CONFIG_PERF_EVENTS)]
    account.counter("perf_pages", Some(limits::perf_pages()), Counter::PerfMlock);
    #[cfg(CONFIG_WATCH_QUEUE)]
    account.counter("queue_watches", number(Rlimit::Nofile), Counter::Watches);
    #[cfg(CONFIG_KEYS)]
    {
        let quota = account.user.key_quota();

        account.line("keys", quota.maxkeys, |user| user.key_quota().nkeys);
        account.line("key_bytes", quota.maxbytes, |user| user.key_quota().nbytes);
    }
}

struct Lines<'a> {
    m: &'a SeqFile,
    user: &'a User,
    seen_from: &'a UserTable,
}

impl Lines<'_> {
    fn line<T: Display>(&self, name: &str, limit: impl Display, charged: impl Fn(&User) -> T) {
        seq_print!(self.m, "{:<16} {:>12}", name, limit);
        seq_print!(self.m, " {:>10}", charged(self.user));
        // As in /proc/key-users, what others have above a container is not for it to see.
        for user in self.user.parents() {
            if self.seen_from.includes(UserTable::of(user)) {
                seq_print!(self.m, " {:>10}", charged(user));
            }
        }
        seq_print!(self.m, "\n");
    }

    fn counter(&self, name: &str, limit: Option<usize>, counter: Counter) {
        let charged = |user: &User| user.charged(counter);

        match limit {
            Some(limit) if limit < Self::UNLIMITED => self.line(name, limit, charged),
            _ => self.line(name, "unlimited", charged),
        }
    }

    /// `RLIM_INFINITY`, as a number of bytes or in pages, is this or more.
    const UNLIMITED: usize = usize::MAX >> PAGE_SHIFT;
}

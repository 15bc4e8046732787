// SPDX-License-Identifier: GPL-2.0

//! What is said about the options.

use execns_cli::grammar::Id;

pub const ABOUT: &str =
    "Run a program in new namespaces, with no descriptors but those that it is to have";

pub const AFTER: &str = "\
Examples:
  execns --user --map-root-user --pid --mount-proc sh
      a shell that is root of its own processes
  execns -Urmn --keep-fd 5:3 --root /srv/image /bin/daemon
      a daemon with a root of its own, no network, and the descriptor 5 as its 3
  execns --show -Ur true
      what the program would see

The exit status is that of the program; 127 if it is not found, 126 if it can't be
executed, and 1 if something else fails. See execns(1) and execns(2).";

pub fn heading(id: Id) -> &'static str {
    match id {
        Id::User | Id::Mount | Id::Pid | Id::Net | Id::Ipc | Id::Uts | Id::Cgroup | Id::Time => {
            "Namespaces"
        }
        Id::MapRootUser
        | Id::MapCurrentUser
        | Id::MapUser
        | Id::MapGroup
        | Id::MapUsers
        | Id::MapGroups
        | Id::MapAuto
        | Id::Setgroups
        | Id::Setuid
        | Id::Setgid => "Ids",
        Id::KeepFd | Id::CloseStdio => "Descriptors",
        Id::Show | Id::Check | Id::Completions | Id::Help | Id::Version => "Instead of running it",
        _ => "The program and what is around it",
    }
}

pub fn value_name(id: Id) -> &'static str {
    match id {
        Id::MapUser | Id::Setuid => "UID",
        Id::MapGroup | Id::Setgid => "GID",
        Id::MapUsers | Id::MapGroups => "INNER:OUTER:COUNT",
        Id::Setgroups => "allow|deny",
        Id::Monotonic | Id::Boottime => "SECONDS",
        Id::Propagation => "MODE",
        Id::KillChild => "SIGNAL",
        Id::KeepFd => "N[:M]",
        Id::Completions => "SHELL",
        _ => "DIR",
    }
}

pub fn text(id: Id) -> &'static str {
    match id {
        Id::User => "A new user namespace",
        Id::Mount => "A new mount namespace",
        Id::Pid => "A new PID namespace, for children: see --fork",
        Id::Net => "A new network namespace",
        Id::Ipc => "A new IPC namespace",
        Id::Uts => "A new UTS namespace",
        Id::Cgroup => "A new cgroup namespace",
        Id::Time => "A new time namespace",
        Id::Fork => "Run the program as a child, in the new PID namespace",
        Id::MapRootUser => "Map your ids to 0, and deny setgroups(2) (implies --user)",
        Id::MapCurrentUser => "Map your ids to themselves (implies --user)",
        Id::MapUser => "Map your uid to this one or a name's (implies --user)",
        Id::MapGroup => "Map your gid to this one or a name's (implies --user)",
        Id::MapUsers => {
            "Map uids; repeatable. Or all: those that you have; subids: those of /etc/subuid; \
             auto: the same from 0 on (implies --user)"
        }
        Id::MapGroups => "Map gids, as --map-users (implies --user)",
        Id::MapAuto => "As --map-users=auto --map-groups=auto",
        Id::Setgroups => "Whether the program may call setgroups(2)",
        Id::MountProc => {
            "Mount proc there before the program runs [default: /proc] (implies --mount, and with \
             --pid --fork)"
        }
        Id::Root => "The root of the program; with --mount, its mounts are nothing but that tree",
        Id::Wd => "The working directory of the program",
        Id::KillChild => {
            "Send the program this signal when execns ends [default: KILL] (implies --fork)"
        }
        Id::Monotonic => "What the monotonic clock is ahead (needs --time)",
        Id::Boottime => "What the boottime clock is ahead (needs --time)",
        Id::Propagation => {
            "How mounts propagate in the new mount namespace: private, slave, shared, or unchanged \
             [default: private]"
        }
        Id::Setuid => "Set the uid inside, to a number or a name's",
        Id::Setgid => "Set the gid inside, to a number or a name's, and drop groups",
        Id::KeepFd => "Keep the descriptor N, as M; repeatable. 0, 1 and 2 are kept anyway",
        Id::CloseStdio => "Do not keep 0, 1 and 2",
        Id::Show => "Show what the program would see",
        Id::Check => "Ask the kernel whether it would start the program",
        Id::Completions => "Write completions for a shell: bash, zsh, fish, elvish or powershell",
        Id::Help | Id::Version => "",
    }
}

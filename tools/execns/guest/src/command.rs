// SPDX-License-Identifier: GPL-2.0

//! The command execns and the one that it is a cousin of, as tests run them.

use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

pub const EXECNS: &str = "/usr/bin/execns";
/// There is one of busybox as well, which has other options.
pub const UNSHARE: &str = "/usr/bin/unshare";

/// Without privilege if the user is not root.
pub fn command(program: &str, user: u32, options: &str) -> Command {
    let mut command = Command::new(program);

    command
        .args(options.split_whitespace())
        .current_dir("/")
        .env_clear()
        .env("PATH", "/usr/bin:/bin");
    if user != 0 {
        command.uid(user).gid(user);
    }
    command
}

/// What comes of a script of the shell.
pub fn shell(program: &str, user: u32, options: &str, script: &str) -> Output {
    command(program, user, options)
        .args(["--", "/bin/sh", "-c", script])
        .output()
        .unwrap()
}

/// All that it has said.
pub fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

// SPDX-License-Identifier: GPL-2.0

//! What is told instead of running a program.

use crate::parser;
use clap_complete::{Shell, generate};
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use execns_abi::{
    EXECNS_SET_IDS, EXECNS_SETGROUPS_ALLOW, EXECNS_SETGROUPS_DENY, ExecnsIdMap, SAME_ID,
};
use execns_cli::environment::Environment;
use execns_cli::options::Propagation;
use execns_cli::plan::Plan;
use execns_cli::run::{Failure, Step};
use execns_cli::signal;
use execns_cli::sys;
use linux_raw_sys::general::{
    CLOCK_MONOTONIC, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID,
    CLONE_NEWTIME, CLONE_NEWUSER, CLONE_NEWUTS,
};
use std::ffi::CStr;
use std::fs;
use std::io::{self, Write};
use std::str::FromStr;

pub fn completions(shell: &CStr) -> Result<(), String> {
    let name = shell.to_string_lossy();
    let shell = Shell::from_str(&name).map_err(|_| {
        format!("--completions: {name} is none of bash, zsh, fish, elvish, powershell")
    })?;
    let mut text = Vec::new();

    generate(shell, &mut parser::command(), "execns", &mut text);
    io::stdout()
        .write_all(&text)
        .map_err(|error| error.to_string())
}

/// Where PATH leads.
pub fn find<'a>(name: &'a CStr, environment: &Environment<'_>) -> Result<String, Failure<'a>> {
    let mut found = String::new();

    environment
        .search(name, |path| {
            sys::may_execute(path)?;
            found = path.to_string_lossy().into_owned();
            Ok(())
        })
        .map_err(|errno| Failure {
            step: Step::Program(name),
            errno,
        })?;
    Ok(found)
}

fn text(path: &CStr) -> String {
    path.to_string_lossy().into_owned()
}

fn link(path: &str) -> String {
    fs::read_link(path).map_or("?".into(), |link| link.to_string_lossy().into_owned())
}

const KINDS: [(&str, u32); 8] = [
    ("user", CLONE_NEWUSER),
    ("mnt", CLONE_NEWNS),
    ("pid", CLONE_NEWPID),
    ("net", CLONE_NEWNET),
    ("ipc", CLONE_NEWIPC),
    ("uts", CLONE_NEWUTS),
    ("cgroup", CLONE_NEWCGROUP),
    ("time", CLONE_NEWTIME),
];

type Rows = Vec<[String; 2]>;

fn namespaces(plan: &Plan<'_>, rows: &mut Rows) {
    let fork = plan.stage.as_ref().is_some_and(|stage| stage.fork);

    for (name, kind) in KINDS {
        let state = if plan.unshare & kind == 0 {
            format!("shared, {}", link(&format!("/proc/self/ns/{name}")))
        } else if kind == CLONE_NEWPID && fork {
            "new, and the program is its init".into()
        } else if kind == CLONE_NEWPID {
            "new for children of the program".into()
        } else {
            "new".into()
        };
        rows.push([format!("{name} namespace"), state]);
    }
}

/// One range a line, as /proc has it.
fn map(map: &[ExecnsIdMap]) -> String {
    let line = |range: &ExecnsIdMap| match range {
        ExecnsIdMap {
            inside,
            outside,
            count: 1,
        } => format!("{inside} is {outside} outside"),
        ExecnsIdMap {
            inside,
            outside,
            count,
        } => {
            format!("{inside} and on is {outside} and on outside, {count} ids")
        }
    };

    if map.is_empty() {
        "all as outside with privilege, else your own as outside".into()
    } else {
        map.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn ids(plan: &Plan<'_>, rows: &mut Rows) {
    if plan.unshare & CLONE_NEWUSER != 0 {
        rows.push(["uids".into(), map(&plan.uid_map)]);
        rows.push(["gids".into(), map(&plan.gid_map)]);
        let setgroups = match plan.flags & (EXECNS_SETGROUPS_ALLOW | EXECNS_SETGROUPS_DENY) {
            EXECNS_SETGROUPS_DENY => "denied",
            EXECNS_SETGROUPS_ALLOW => "allowed",
            _ => "as outside with privilege, else denied",
        };
        rows.push(["setgroups".into(), setgroups.into()]);
    }
    let stage = plan.stage.as_ref();
    let set = |id| Some(id).filter(|&id| plan.flags & EXECNS_SET_IDS != 0 && id != SAME_ID);
    for (name, id) in [
        ("uid", set(plan.uid).or(stage.and_then(|stage| stage.uid))),
        ("gid", set(plan.gid).or(stage.and_then(|stage| stage.gid))),
    ] {
        if let Some(id) = id {
            rows.push([format!("{name} inside"), id.to_string()]);
        }
    }
}

fn descriptors(plan: &Plan<'_>, rows: &mut Rows) {
    let mut fds = plan.fds.to_vec();

    fds.sort_by_key(|fd| fd.to);
    for fd in fds {
        let what = match sys::is_open(fd.from as i32) {
            true => link(&format!("/proc/self/fd/{}", fd.from)),
            false => "not open".into(),
        };
        let from = if fd.from == fd.to {
            String::new()
        } else {
            format!(", {} here", fd.from)
        };
        rows.push([format!("descriptor {}", fd.to), format!("{what}{from}")]);
    }
    rows.push(["other descriptors".into(), "none".into()]);
}

fn around(plan: &Plan<'_>, rows: &mut Rows) {
    let stage = plan.stage.as_ref();
    let inner = |path: Option<&CStr>| path.map(text);
    let root = match (inner(plan.root), inner(stage.and_then(|stage| stage.root))) {
        (Some(root), _) => format!("{root}, and no other mounts"),
        (_, Some(root)) => root,
        _ => link("/proc/self/root"),
    };
    let changed = plan.root.is_some() || stage.is_some_and(|stage| stage.root.is_some());
    let wd = inner(plan.wd.or(stage.and_then(|stage| stage.wd))).unwrap_or_else(|| {
        if changed {
            "/".into()
        } else {
            link("/proc/self/cwd")
        }
    });

    rows.push(["root".into(), root]);
    rows.push(["working directory".into(), wd]);
    let Some(stage) = stage else { return };
    if let Some(at) = stage.mount_proc {
        rows.push(["proc".into(), format!("mounted at {}", text(at))]);
    }
    let propagation = match stage.propagation {
        Propagation::Private => "private",
        Propagation::Slave => "slave",
        Propagation::Shared => "shared",
        Propagation::Unchanged => "",
    };
    if !propagation.is_empty() {
        rows.push(["mounts".into(), propagation.into()]);
    }
    if stage.kill_child != 0 {
        let name =
            signal::name(stage.kill_child).map_or(stage.kill_child.to_string(), str::to_string);
        rows.push(["when execns ends".into(), format!("gets {name}")]);
    }
}

/// The rows of the table.
fn rows(plan: &Plan<'_>, program: String) -> Rows {
    let mut rows = vec![["program".into(), program]];

    namespaces(plan, &mut rows);
    ids(plan, &mut rows);
    for (clock, sec) in plan.offsets[..plan.nr_offsets]
        .iter()
        .map(|o| (o.clock, o.sec))
    {
        let name = if clock == CLOCK_MONOTONIC as i32 {
            "monotonic"
        } else {
            "boottime"
        };
        rows.push([format!("{name} clock"), format!("{sec:+} seconds")]);
    }
    descriptors(plan, &mut rows);
    around(plan, &mut rows);
    rows
}

pub fn plan(plan: &Plan<'_>, name: &CStr, environment: &Environment<'_>) -> Result<(), String> {
    let elsewhere = plan.root.is_some() || plan.stage.as_ref().is_some_and(|s| s.root.is_some());
    let program = match find(name, environment) {
        // What is found here may not be what is there.
        _ if elsewhere => text(name),
        Ok(path) => path,
        Err(_) => format!("{}, which is not found", name.to_string_lossy()),
    };
    let mut table = Table::new();

    table
        .load_preset(UTF8_FULL_CONDENSED)
        .set_header(["the program's", ""]);
    table.add_rows(rows(plan, program));
    writeln!(io::stdout(), "{table}").map_err(|error| error.to_string())
}

// SPDX-License-Identifier: GPL-2.0

//! The parser that has something to say: made of the table that the quick one has, too.

use crate::help;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};
use execns_cli::grammar::{Given, Id, OPTIONS, Opt, Value};
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt;

/// Stands for a value that is not there. No argument can have it.
const ABSENT: &str = "\0";

const PROGRAM: &str = "program";

/// A command line that has been understood.
#[derive(Debug, Default, PartialEq)]
pub struct Line {
    /// The options, in the order in which they are given.
    pub options: Vec<(Id, Option<CString>)>,
    /// The program and its arguments.
    pub program: Vec<CString>,
}

impl Line {
    pub fn has(&self, id: Id) -> bool {
        self.options.iter().any(|option| option.0 == id)
    }

    pub fn value(&self, id: Id) -> Option<&CString> {
        self.options
            .iter()
            .rev()
            .find(|option| option.0 == id)?
            .1
            .as_ref()
    }
}

/// An option as the table describes it.
pub fn given((id, value): &(Id, Option<CString>)) -> Given<'_> {
    Given {
        id: *id,
        value: value.as_deref(),
    }
}

fn arg(option: &Opt) -> Arg {
    let arg = Arg::new(option.long)
        .long(option.long)
        .action(ArgAction::Append)
        .value_parser(value_parser!(OsString))
        .help(help::text(option.id))
        .help_heading(help::heading(option.id));
    let arg = match option.short {
        0 => arg,
        letter => arg.short(char::from(letter)),
    };
    let name = help::value_name(option.id);

    match option.value {
        Value::None => arg.num_args(0).default_missing_value(ABSENT),
        // Whatever the next word is, as in getopt_long(3).
        Value::Required => arg.value_name(name).allow_hyphen_values(true),
        Value::Optional => arg
            .value_name(name)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value(ABSENT),
    }
    .value_hint(match option.id {
        Id::Root | Id::Wd | Id::MountProc => ValueHint::DirPath,
        _ => ValueHint::Unknown,
    })
}

pub fn command() -> Command {
    let own = |option: &&Opt| !matches!(option.id, Id::Help | Id::Version);

    Command::new("execns")
        .version(env!("CARGO_PKG_VERSION"))
        .about(help::ABOUT)
        .after_long_help(help::AFTER)
        .override_usage("execns [OPTIONS] [--] [PROGRAM [ARGUMENTS]...]")
        .args(OPTIONS.iter().filter(own).map(arg))
        .arg(
            Arg::new(PROGRAM)
                .num_args(0..)
                .trailing_var_arg(true)
                .value_parser(value_parser!(OsString))
                .value_name("PROGRAM")
                .value_hint(ValueHint::CommandWithArguments)
                .help("The program and its arguments [default: $SHELL, or /bin/sh]"),
        )
}

fn string(text: OsString) -> CString {
    // An argument of a process has no null byte in it.
    CString::new(text.into_vec()).unwrap_or_default()
}

fn line(mut matches: ArgMatches) -> Line {
    let mut options = Vec::new();

    for option in &OPTIONS {
        if matches!(option.id, Id::Help | Id::Version) {
            continue;
        }
        let places: Vec<usize> = matches
            .indices_of(option.long)
            .map(Iterator::collect)
            .unwrap_or_default();
        let values = matches
            .remove_many::<OsString>(option.long)
            .into_iter()
            .flatten();
        for (place, value) in places.into_iter().zip(values) {
            let value = Some(value).filter(|value| value != ABSENT).map(string);
            options.push((place, (option.id, value)));
        }
    }
    options.sort_by_key(|option| option.0);
    let program = matches
        .remove_many::<OsString>(PROGRAM)
        .into_iter()
        .flatten();
    Line {
        options: options.into_iter().map(|option| option.1).collect(),
        program: program.map(string).collect(),
    }
}

/// `args` has the name of the command first.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Line, clap::Error> {
    command().try_get_matches_from(args).map(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use execns_cli::grammar::Words;
    use proptest::prelude::*;
    use std::ffi::CStr;

    /// What the quick parser makes of it.
    fn quick(args: &[String]) -> Option<Line> {
        let words: Vec<CString> = args
            .iter()
            .map(|word| CString::new(word.as_str()).unwrap())
            .collect();
        let mut quick = Words::new(words.iter().map(CString::as_c_str));
        let mut line = Line::default();

        for given in &mut quick {
            let given = given.ok()?;
            line.options
                .push((given.id, given.value.map(CStr::to_owned)));
        }
        line.program = words[quick.taken()..].to_vec();
        Some(line)
    }

    fn slow(args: &[String]) -> Result<Line, clap::Error> {
        parse(
            ["execns".to_string()]
                .iter()
                .chain(args)
                .map(OsString::from),
        )
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_string).collect()
    }

    #[test]
    fn the_command_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn options_keep_their_order() {
        let line = slow(&words(
            "-c --wd a -rU --kill-child --wd=b -S5 prog -r --wd c",
        ))
        .unwrap();
        let ids: Vec<Id> = line.options.iter().map(|option| option.0).collect();

        assert_eq!(
            ids,
            [
                Id::MapCurrentUser,
                Id::Wd,
                Id::MapRootUser,
                Id::User,
                Id::KillChild,
                Id::Wd,
                Id::Setuid
            ]
        );
        assert_eq!(line.value(Id::Wd).unwrap().as_c_str(), c"b");
        assert_eq!(line.value(Id::KillChild), None);
        assert_eq!(line.program.len(), 4);
    }

    #[test]
    fn what_is_wrong_is_an_error_for_both() {
        for text in [
            "--bogus",
            "-Z",
            "--mount=x",
            "--map-user",
            "-R",
            "--users",
            "-U -x prog",
        ] {
            assert!(quick(&words(text)).is_none(), "{text}");
            assert!(slow(&words(text)).is_err(), "{text}");
        }
    }

    fn word() -> impl Strategy<Value = String> {
        let option = prop::sample::select(&OPTIONS[..]).prop_filter("ends the command", |option| {
            !matches!(option.id, Id::Help | Id::Version)
        });
        let shorts = OPTIONS
            .iter()
            .map(|option| option.short)
            .filter(|&short| short != 0 && short != b'h' && short != b'V');
        let shorts: Vec<char> = shorts.map(char::from).collect();

        prop_oneof![
            4 => option.clone().prop_map(|option| format!("--{}", option.long)),
            2 => (option, "[-=:a-z0-9]{0,4}")
                .prop_map(|(option, value)| format!("--{}={value}", option.long)),
            2 => prop::collection::vec(prop::sample::select(shorts), 1..4)
                .prop_map(|shorts| format!("-{}", String::from_iter(shorts))),
            2 => "[-=:,a-z0-9]{0,5}",
            1 => Just("--".to_string()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4000) })]

        /// What the quick one takes, means the same to both.
        #[test]
        fn parsers_agree(args in prop::collection::vec(word(), 0..7)) {
            let ends = |line: &Line| line.has(Id::Help) || line.has(Id::Version);

            if let Some(quick) = quick(&args).filter(|line| !ends(line)) {
                let slow = slow(&args).map_err(|error| error.kind());
                prop_assert_eq!(slow, Ok(quick), "{:?}", args);
            }
        }
    }
}

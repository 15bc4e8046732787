// SPDX-License-Identifier: GPL-2.0

//! Which descriptors a program has, against a model: a map from numbers to files.

use crate::{Stopwatch, alone, cases, fail, holds, seed};
use execns_abi::{AT_EXECVE_CHECK, ExecnsFd};
use execns_guest::probe::{OWN, Reports, in_worker, keep_out_of_the_way, run, table_hash};
use execns_guest::sys::Spawn;
use execns_guest::sys::at::{self, Request};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::test_runner::TestCaseError;
use rustix::fs::{MemfdFlags, Mode, OFlags};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::collections::{BTreeMap, BTreeSet};

/// The numbers of tables that are made are below this.
const LIMIT: u32 = 300;

/// The numbers that are compared before and after.
const NUMBERS: [std::ops::Range<u32>; 2] = [0..LIMIT + 20, OWN..OWN + 20];

/// How many files there are to be open.
const FILES: usize = 9;

/// A list for a table, of which the indices choose from what is open.
#[derive(Clone, Debug)]
enum List {
    /// Any open descriptor to any number, each once.
    Valid(Vec<(Index, u32)>),
    /// Open descriptors change their numbers with each other: the n-th of them gets the number of
    /// the one that is this many further.
    Rotated(usize),
    /// As many as possible, from one descriptor.
    Full(Index, u32),
    /// Any numbers.
    Random(Vec<ExecnsFd>),
}

/// What makes one element wrong, probably.
#[derive(Clone, Copy, Debug)]
enum Mistake {
    From(u32),
    To(u32),
    /// The same number as another element.
    Twice(Index),
}

#[derive(Clone, Debug)]
struct Case {
    /// What is open: the number, which file, and whether close-on-exec.
    table: BTreeMap<u32, (usize, bool)>,
    limit: u32,
    list: List,
    mistake: Option<(Index, Mistake)>,
    kind: Spawn,
    /// Whether the call is checked before, and made in a child that is compared if it fails.
    thorough: bool,
    /// Whether the program is started, if that is permitted, and not only checked.
    launch: bool,
}

impl Case {
    fn list(&self) -> Vec<ExecnsFd> {
        let open: Vec<u32> = self.table.keys().copied().collect();
        let mut list: Vec<ExecnsFd> = match &self.list {
            List::Random(list) => list.clone(),
            _ if open.is_empty() => vec![],
            List::Valid(pairs) => pairs
                .iter()
                .map(|(index, to)| ExecnsFd {
                    from: *index.get(&open),
                    to: to % self.limit,
                })
                .collect(),
            List::Rotated(by) => (0..open.len())
                .map(|i| ExecnsFd {
                    from: open[i],
                    to: open[(i + by) % open.len()],
                })
                .collect(),
            List::Full(index, more) => (0..self.limit + more)
                .map(|to| ExecnsFd {
                    from: *index.get(&open),
                    to,
                })
                .collect(),
        };

        if !matches!(self.list, List::Random(_) | List::Full(..)) {
            let mut seen = BTreeSet::new();

            list.retain(|fd| seen.insert(fd.to));
        }
        if let (Some((index, mistake)), false) = (&self.mistake, list.is_empty()) {
            let i = index.index(list.len());

            match mistake {
                Mistake::From(from) => list[i].from = *from,
                Mistake::To(to) => list[i].to = *to,
                Mistake::Twice(other) => list[i].to = other.get(&list).to,
            }
        }
        list
    }
}

/// What the call returns, or which file the program has by which number. If several errors are there,
/// it may be any of them.
fn model(
    list: &[ExecnsFd],
    open: &BTreeMap<u32, u64>,
    limit: u32,
) -> Result<BTreeMap<u32, u64>, BTreeSet<i32>> {
    if list.len() > limit as usize {
        return Err([libc::EINVAL].into());
    }
    let mut program = BTreeMap::new();
    let mut errors = BTreeSet::new();

    for fd in list {
        if fd.to >= limit {
            errors.insert(libc::EBADF);
        }
        match open.get(&fd.from) {
            Some(&file) => {
                if program.insert(fd.to, file).is_some() {
                    errors.insert(libc::EINVAL);
                }
            }
            None => {
                errors.insert(libc::EBADF);
                if list.iter().filter(|other| other.to == fd.to).count() > 1 {
                    errors.insert(libc::EINVAL);
                }
            }
        }
    }
    if errors.is_empty() {
        Ok(program)
    } else {
        Err(errors)
    }
}

/// Mostly few numbers, and those at which words of bits and the sizes of tables end. This is no
/// `prop_oneof`, of which each value costs a copy of the test runner.
fn number() -> impl Strategy<Value = u32> {
    const ENDS: [u32; 15] = [
        62, 63, 64, 65, 66, 126, 127, 128, 129, 191, 192, 254, 255, 256, 257,
    ];

    (0..11u8, any::<u16>()).prop_map(|(kind, n)| match kind {
        0..6 => u32::from(n) % 8,
        6..9 => ENDS[usize::from(n) % ENDS.len()],
        _ => u32::from(n) % LIMIT,
    })
}

/// Numbers that are not open, or too high.
fn far_number() -> impl Strategy<Value = u32> {
    prop_oneof![
        number(),
        LIMIT - 2..LIMIT + 20,
        select(vec![
            1023,
            1024,
            1 << 20,
            i32::MAX as u32,
            1 << 31,
            u32::MAX - 99,
            u32::MAX
        ]),
    ]
}

fn list() -> impl Strategy<Value = List> {
    let fd = (far_number(), far_number()).prop_map(|(from, to)| ExecnsFd { from, to });

    prop_oneof![
        8 => prop::collection::vec((any::<Index>(), number()), 0..12).prop_map(List::Valid),
        6 => (0..8usize).prop_map(List::Rotated),
        1 => prop::collection::vec((any::<Index>(), number()), 0..100).prop_map(List::Valid),
        1 => (any::<Index>(), 0..3u32).prop_map(|(index, more)| List::Full(index, more)),
        1 => prop::collection::vec(fd, 0..6).prop_map(List::Random),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let table = prop_oneof![
        9 => prop::collection::btree_map(number(), (0..FILES, any::<bool>()), 0..10),
        1 => subsequence((0..LIMIT).collect::<Vec<_>>(), 20..80).prop_flat_map(|numbers| {
            let length = numbers.len();

            prop::collection::vec((0..FILES, any::<bool>()), length)
                .prop_map(move |slots| numbers.iter().copied().zip(slots).collect())
        }),
    ];
    let limit = prop_oneof![
        8 => Just(LIMIT),
        4 => select(vec![1, 2, 5, 8, 63, 64, 65, 127, 128, 129, 255, 256, 257]),
    ];
    let mistake = prop_oneof![
        far_number().prop_map(Mistake::From),
        far_number().prop_map(Mistake::To),
        any::<Index>().prop_map(Mistake::Twice),
    ];
    let kind = prop_oneof![
        1 => Just(Spawn::Fork),
        9 => Just(Spawn::Vfork),
        10 => Just(Spawn::VforkFiles),
    ];

    (
        table,
        limit,
        list(),
        prop::option::weighted(0.25, (any::<Index>(), mistake)),
        kind,
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.7),
    )
        .prop_map(
            |(table, limit, list, mistake, kind, thorough, launch)| Case {
                table,
                limit,
                list,
                mistake,
                kind,
                thorough,
                launch,
            },
        )
}

/// Files that are told from each other by their number, by descriptors that are out of the way.
fn files() -> rustix::io::Result<Vec<i32>> {
    let open = |path: &str, flags| rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty());
    let mut files = vec![
        open("/", OFlags::PATH)?,
        open("/proc", OFlags::DIRECTORY)?,
        rustix::pipe::pipe()?.0,
        open("/dev/null", OFlags::WRONLY)?,
    ];

    while files.len() < FILES {
        files.push(rustix::fs::memfd_create("file", MemfdFlags::CLOEXEC)?);
    }
    Ok(files.into_iter().map(keep_out_of_the_way).collect())
}

struct World {
    files: Vec<i32>,
    /// What the worker has itself: above the limit, and open for a list all the same.
    own: BTreeMap<u32, u64>,
    reports: Reports,
}

impl World {
    fn test(&self, case: &Case) -> Result<(), TestCaseError> {
        let mut limit = getrlimit(Resource::Nofile);
        let mut open = self.own.clone();

        limit.current = Some(LIMIT.into());
        setrlimit(Resource::Nofile, limit).map_err(fail)?;
        at::close_between(0, OWN - 1).map_err(fail)?;
        for (&fd, &(file, cloexec)) in &case.table {
            at::place(self.files[file], fd, cloexec).map_err(fail)?;
            open.insert(fd, at::look(fd).ok_or_else(|| fail("no file"))?.file);
        }

        let list = case.list();
        let expected = model(&list, &open, case.limit);
        let before = table_hash(&NUMBERS).map_err(fail)?;
        limit.current = Some(case.limit.into());
        setrlimit(Resource::Nofile, limit).map_err(fail)?;
        let request = Request {
            fds: &list,
            ..Request::default()
        };
        let target = self.reports.target();
        let check = (case.thorough || !case.launch).then(|| {
            target.exec(&Request {
                at_flags: AT_EXECVE_CHECK,
                ..request
            })
        });
        if let (Some(check), Ok(_), false) = (check, &expected, case.launch) {
            prop_assert_eq!(check, Ok(()), "the check of {:?}", list);
            return Ok(());
        }
        let started = match &expected {
            // Should it succeed, then that is the end of the worker, which is noticed.
            Err(_) if !case.thorough => target.exec(&request).map(|()| 0),
            Err(_) => run(case.kind, target, &request, Some(&NUMBERS)),
            Ok(_) => run(case.kind, target, &request, None),
        };

        if let Some(check) = check {
            let started = started.map(drop);
            prop_assert_eq!(check, started, "the check, and the call of {:?}", list);
        }
        match (expected, started) {
            (Ok(expected), Ok(pid)) => {
                let report = self.reports.read(pid).map_err(fail)?;
                let table = report.iter().map(|(&fd, slot)| (fd, slot.file)).collect();

                prop_assert_eq!(expected, table, "{:?}", list);
                prop_assert!(!report.values().any(|slot| slot.cloexec), "{:?}", list);
            }
            (Err(errors), Err(errno)) => {
                prop_assert!(
                    errors.contains(&errno),
                    "{} for {:?}, and not {:?}",
                    errno,
                    list,
                    errors
                );
            }
            (expected, started) => prop_assert!(
                false,
                "{:?} for {:?}, and not {:?}",
                started,
                list,
                expected
            ),
        }
        limit.current = Some(LIMIT.into());
        setrlimit(Resource::Nofile, limit).map_err(fail)?;
        let after = table_hash(&NUMBERS).map_err(fail)?;
        prop_assert_eq!(before, after, "the call has changed the descriptors");
        Ok(())
    }
}

#[test]
fn renumbering_is_as_the_model_says() {
    let _alone = alone();
    let _watch = Stopwatch::new("renumbering");
    let seed = seed();

    in_worker(|| {
        let world = World {
            files: files().map_err(|error| error.to_string())?,
            reports: Reports::new("renumbering", LIMIT)?,
            own: (OWN..OWN + 20)
                .filter_map(|fd| Some((fd, at::look(fd)?.file)))
                .collect(),
        };

        holds(seed, cases(10_000), &case(), |case| world.test(&case))
    })
    .unwrap();
}

#[test]
fn the_model_knows_a_swap_a_copy_and_each_error() {
    let open = [(3, 30), (4, 40)].into();
    let fd = |(from, to)| ExecnsFd { from, to };
    let result =
        |list: &[(u32, u32)]| model(&list.iter().copied().map(fd).collect::<Vec<_>>(), &open, 8);

    assert_eq!(result(&[]), Ok([].into()));
    assert_eq!(result(&[(3, 4), (4, 3)]), Ok([(3, 40), (4, 30)].into()));
    assert_eq!(result(&[(3, 0), (3, 7)]), Ok([(0, 30), (7, 30)].into()));
    assert_eq!(result(&[(3, 0), (4, 0)]), Err([libc::EINVAL].into()));
    assert_eq!(result(&[(5, 0)]), Err([libc::EBADF].into()));
    assert_eq!(result(&[(3, 8)]), Err([libc::EBADF].into()));
    assert_eq!(result(&[(3, 0); 9]), Err([libc::EINVAL].into()));
}

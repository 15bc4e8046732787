// SPDX-License-Identifier: GPL-2.0

//! What is done inside the new namespaces before the program, by this command once more.
//!
//! The stage gets its orders in its arguments, in a form that needs no parsing: `argv[0]` is
//! [`NAME`], `argv[1]` has a letter or number for each, `argv[2]` to `argv[4]` are the root,
//! the working directory and where to mount proc, empty for none. The program's arguments follow.

use crate::child;
use crate::environment::Environment;
use crate::options::Propagation;
use crate::run::{self, Failure, Step};
use crate::sys::{self, Errno, Strings};
use core::ffi::{CStr, c_char};
use linux_raw_sys::general::{
    MS_NODEV, MS_NOEXEC, MS_NOSUID, SIG_BLOCK, SIG_SETMASK, SIGCHLD, SIGINT, SIGTERM,
};

/// What the stage is called.
pub const NAME: &CStr = c"execns-stage";
/// How many arguments are before those of the program.
pub const ARGS: usize = 5;
/// The length of `argv[1]`, with the null byte.
pub const ORDERS: usize = 21;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage<'a> {
    /// Whether the program is a child, in the new PID namespace.
    pub fork: bool,
    pub kill_child: u8,
    pub propagation: Propagation,
    pub root: Option<&'a CStr>,
    pub wd: Option<&'a CStr>,
    pub mount_proc: Option<&'a CStr>,
    pub clear_groups: bool,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
}

impl<'a> Stage<'a> {
    pub fn is_empty(&self) -> bool {
        !self.fork
            && self.propagation == Propagation::Unchanged
            && self.root.is_none()
            && self.wd.is_none()
            && self.mount_proc.is_none()
            && self.uid.is_none()
            && self.gid.is_none()
    }

    /// `argv[1]`
    pub fn orders(&self) -> [u8; ORDERS] {
        let mut orders = [0; ORDERS];

        orders[0] = if self.fork { b'f' } else { b'-' };
        orders[1] = b'0' + self.kill_child;
        orders[2] = match self.propagation {
            Propagation::Private => b'p',
            Propagation::Slave => b's',
            Propagation::Shared => b'h',
            Propagation::Unchanged => b'-',
        };
        orders[3] = if self.clear_groups { b'g' } else { b'-' };
        write_id(&mut orders, 4, self.uid);
        write_id(&mut orders, 12, self.gid);
        orders
    }

    /// From `argv[1]` and the three after it.
    pub fn from_orders(orders: &CStr, paths: [&'a CStr; 3]) -> Option<Self> {
        let orders: &[u8; ORDERS] = orders.to_bytes_with_nul().try_into().ok()?;
        let [root, wd, mount_proc] = paths.map(|path| Some(path).filter(|path| !path.is_empty()));

        Some(Self {
            fork: orders[0] == b'f',
            kill_child: orders[1].wrapping_sub(b'0'),
            propagation: match orders[2] {
                b'p' => Propagation::Private,
                b's' => Propagation::Slave,
                b'h' => Propagation::Shared,
                _ => Propagation::Unchanged,
            },
            root,
            wd,
            mount_proc,
            clear_groups: orders[3] == b'g',
            uid: read_id(orders, 4)?,
            gid: read_id(orders, 12)?,
        })
    }

    /// The root, working directory and place of proc, as arguments.
    pub fn paths(&self) -> [&'a CStr; 3] {
        [self.root, self.wd, self.mount_proc].map(|path| path.unwrap_or(c""))
    }

    /// Mostly in the order of unshare(1).
    fn prepare(&self) -> Result<(), Failure<'a>> {
        let failed = |step| move |errno| Failure { step, errno };

        if self.propagation != Propagation::Unchanged {
            let flags = self.propagation.flags();
            sys::mount(None, c"/", flags).map_err(failed(Step::Propagation))?;
        }
        if let Some(root) = self.root {
            // A working directory that stays outside would lead out of it.
            sys::change_root(root)
                .and_then(|()| sys::change_dir(c"/"))
                .map_err(failed(Step::Root(root)))?;
        }
        if let Some(wd) = self.wd {
            sys::change_dir(wd).map_err(failed(Step::WorkingDirectory(wd)))?;
        }
        if let Some(at) = self.mount_proc {
            sys::mount(Some(c"proc"), at, MS_NOSUID | MS_NOEXEC | MS_NODEV)
                .map_err(failed(Step::Proc(at)))?;
        }
        if self.clear_groups {
            sys::clear_groups().map_err(failed(Step::Groups))?;
        }
        if let Some(gid) = self.gid {
            sys::set_gid(gid).map_err(failed(Step::Gid))?;
        }
        if let Some(uid) = self.uid {
            sys::set_uid(uid).map_err(failed(Step::Uid))?;
        }
        // A change of ids clears it.
        if self.kill_child != 0 {
            sys::die_with_parent(self.kill_child).map_err(failed(Step::KillChild))?;
        }
        Ok(())
    }
}

/// Eight hexadecimal digits, or eight dashes.
fn write_id(orders: &mut [u8; ORDERS], at: usize, id: Option<u32>) {
    for (i, byte) in orders.iter_mut().skip(at).take(8).enumerate() {
        *byte = id.map_or(b'-', |id| {
            let digit = (id >> (28 - 4 * i)) as u8 & 15;
            digit + if digit < 10 { b'0' } else { b'a' - 10 }
        });
    }
}

/// None if it is neither.
fn read_id(orders: &[u8; ORDERS], at: usize) -> Option<Option<u32>> {
    if orders[at] == b'-' {
        return Some(None);
    }
    orders
        .iter()
        .skip(at)
        .take(8)
        .try_fold(0u32, |id, byte| {
            let digit = (*byte as char).to_digit(16)?;
            Some(id << 4 | digit)
        })
        .map(Some)
}

/// A stage, and the program that it is for.
struct Work<'a> {
    stage: Stage<'a>,
    argv: *mut *const c_char,
    environment: Environment<'a>,
    mask: u64,
}

// SAFETY: The child is the only other one that has it, while this process waits.
unsafe impl Sync for Work<'_> {}

impl Work<'_> {
    fn become_program(&self) -> ! {
        let failure = match self.stage.prepare() {
            Err(failure) => failure,
            // SAFETY: The program's arguments are a list of strings that ends with a null pointer,
            // and the two before it are the stage's, which it does not need any more.
            Ok(()) => unsafe { run::search_and_execute(self.argv.add(ARGS), &self.environment) },
        };

        failure.report();
        sys::exit(failure.status())
    }

    fn child(&self) -> ! {
        let _ = sys::signal_mask(SIG_SETMASK, self.mask);

        self.become_program()
    }

    /// Waits for the program, and ends as it does.
    fn wait(self) -> ! {
        // If it is ignored, the status of a child is not kept.
        sys::default_signal(SIGCHLD as u8);
        let result = child::run(&self, Self::child);
        let status = match result {
            Ok(status) => status,
            Err(errno) => {
                let failure = Failure {
                    step: Step::Fork,
                    errno,
                };
                failure.report();
                sys::exit(failure.status())
            }
        };
        let signal = status & 0x7f;
        if signal != 0 {
            sys::die_by(signal as u8);
            sys::exit(128 + signal);
        }
        sys::exit(status >> 8 & 0xff)
    }
}

/// Does what the stage is for, if that is what this process is.
///
/// # Safety
///
/// `argv` and `envp` are this process's own, `argv` has `argc` elements before the null pointer,
/// and nobody else uses them.
pub unsafe fn enter(argc: usize, argv: *mut *const c_char, envp: Strings) {
    // SAFETY: The caller vouches for the list.
    let word = |index| unsafe { CStr::from_ptr(*argv.add(index)) };

    if argc <= ARGS || word(0) != NAME {
        return;
    }
    let Some(stage) = Stage::from_orders(word(1), [word(2), word(3), word(4)]) else {
        return;
    };
    let fork = stage.fork;
    let mut work = Work {
        stage,
        argv,
        // SAFETY: As above.
        environment: unsafe { Environment::new(envp) },
        mask: 0,
    };
    if !fork {
        work.become_program();
    }
    // A terminal sends these to the program as well, which is to decide.
    let both = 1 << (SIGINT - 1) | 1 << (SIGTERM - 1);
    match sys::signal_mask(SIG_BLOCK, both) {
        Ok(mask) => work.mask = mask,
        Err(Errno(_)) => sys::exit(1),
    }
    work.wait()
}

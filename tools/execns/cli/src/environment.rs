// SPDX-License-Identifier: GPL-2.0

//! The environment, as the kernel passes it.

use crate::grammar::skip;
use crate::sys::{Errno, Result, Strings};
use core::ffi::{CStr, c_char};
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::slice;

#[derive(Clone, Copy)]
pub struct Environment<'a> {
    list: Strings,
    _strings: PhantomData<&'a CStr>,
}

impl<'a> Environment<'a> {
    /// # Safety
    ///
    /// It is the list of strings that the kernel has passed, and nobody changes it as long as this
    /// is used.
    pub unsafe fn new(list: Strings) -> Self {
        Self {
            list,
            _strings: PhantomData,
        }
    }

    pub fn list(&self) -> Strings {
        self.list
    }

    /// The path that this process was executed by, which the kernel passes after the environment.
    pub fn executable(&self) -> Option<&'a CStr> {
        const AT_NULL: usize = 0;
        const AT_EXECFN: usize = 31;
        let mut at = self.list;

        // SAFETY: The list ends with a null pointer. Pairs of a kind and a value follow, and end
        // with a kind that is AT_NULL.
        unsafe {
            while !(*at).is_null() {
                at = at.add(1);
            }
            let mut pair = at.add(1).cast::<[usize; 2]>();
            loop {
                match *pair {
                    [AT_NULL, _] => return None,
                    [AT_EXECFN, path] => return Some(CStr::from_ptr(path as *const c_char)),
                    _ => pair = pair.add(1),
                }
            }
        }
    }

    /// The value of a variable.
    pub fn get(&self, name: &[u8]) -> Option<&'a CStr> {
        let mut at = self.list;

        loop {
            // SAFETY: The null pointer that ends the list has not been passed.
            let entry = unsafe { *at };
            if entry.is_null() {
                return None;
            }
            // SAFETY: It is a string.
            let entry: &'a CStr = unsafe { CStr::from_ptr(entry) };
            if let Some([b'=', ..]) = entry.to_bytes().strip_prefix(name) {
                return skip(entry, name.len() + 1);
            }
            // SAFETY: This is not the last element.
            at = unsafe { at.add(1) };
        }
    }
}

/// What is searched without PATH.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// The longest path, with the null byte.
const PATH_MAX: usize = 4096;

impl Environment<'_> {
    /// Tries a program by its name: as a path, if it is one, and in the folders of PATH otherwise.
    /// Goes on as execvp(3) does, until one can be executed. Returns the last error that tells most.
    pub fn search(&self, name: &CStr, mut attempt: impl FnMut(&CStr) -> Result<()>) -> Result<()> {
        let bytes = name.to_bytes();
        if bytes.is_empty() {
            Err(Errno::ENOENT)
        } else if bytes.contains(&b'/') {
            attempt(name)
        } else {
            self.search_path(name, &mut attempt)
        }
    }

    // With a frame of its own, since it is a large one.
    #[inline(never)]
    fn search_path(&self, name: &CStr, attempt: &mut dyn FnMut(&CStr) -> Result<()>) -> Result<()> {
        let path = self.get(b"PATH").map_or(DEFAULT_PATH, CStr::to_bytes);
        let mut told = Errno::ENOENT;
        let mut room = [const { MaybeUninit::<u8>::uninit() }; PATH_MAX];
        for folder in path.split(|&byte| byte == b':') {
            let slash: &[u8] = if folder.is_empty() { b"" } else { b"/" };
            let Some(candidate) = join(&mut room, [folder, slash], name) else {
                told = Errno::ENAMETOOLONG;
                continue;
            };
            match attempt(candidate) {
                Ok(()) => return Ok(()),
                Err(
                    Errno::ENOENT
                    | Errno::ENOTDIR
                    | Errno::ENODEV
                    | Errno::ESTALE
                    | Errno::ETIMEDOUT,
                ) => {}
                Err(Errno::EACCES) => told = Errno::EACCES,
                Err(errno) => return Err(errno),
            }
        }
        Err(told)
    }
}

fn join<'r>(
    room: &'r mut [MaybeUninit<u8>; PATH_MAX],
    folder: [&[u8]; 2],
    name: &CStr,
) -> Option<&'r CStr> {
    let [folder, slash] = folder;
    let mut len = 0;

    for part in [folder, slash, name.to_bytes_with_nul()] {
        for &byte in part {
            room.get_mut(len)?.write(byte);
            len += 1;
        }
    }
    // SAFETY: All of these bytes have been written, and the last part ends with the only null byte.
    unsafe {
        let written = slice::from_raw_parts(room.as_ptr().cast::<u8>(), len);
        Some(CStr::from_bytes_with_nul_unchecked(written))
    }
}

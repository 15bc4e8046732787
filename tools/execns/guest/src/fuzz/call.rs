// SPDX-License-Identifier: GPL-2.0

//! A call as it is generated, and as words and memory for the kernel.

use super::name::Name;
use super::world::Memory;
use execns_abi::{
    EXECNS_ARGS_SIZE_VER0 as VER0, ExecnsArgs, ExecnsFd, ExecnsIdMap, ExecnsTimeOffset, SYS_EXECNS,
    SYS_EXECNSAT,
};
use std::ffi::c_long;

/// How an array is passed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Form {
    #[default]
    Right,
    /// A number without a pointer.
    NoPointer,
    /// A pointer without a number.
    NoNumber,
    /// Memory that can not be read.
    Hole,
    /// Memory of the kernel.
    Kernel,
    /// Another number.
    Many(u32),
}

#[derive(Clone, Debug, Default)]
pub struct Array<T> {
    pub elements: Vec<T>,
    pub form: Form,
}

impl<T> Array<T> {
    pub fn number(&self) -> u32 {
        let length = self.elements.len() as u32;

        match self.form {
            Form::Right => length,
            Form::NoNumber => 0,
            Form::NoPointer | Form::Hole | Form::Kernel => length.max(1),
            Form::Many(number) => number,
        }
    }
}

/// Arguments or environment of the program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Words {
    Few(u8),
    /// The address is 0, which is none.
    Null,
    /// The array can not be read.
    Hole,
    /// The array goes on where nothing can be read.
    Endless,
    /// A word can not be read.
    BadWord,
    /// A word is too long.
    LongWord,
}

/// Where the structure is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    Right,
    /// At an address that is not a multiple of 8.
    Odd,
    Null,
    Hole,
    Kernel,
    /// All but the last byte can be read.
    Short,
}

/// What is in the page that comes late.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Late {
    Path,
    Words,
    Structure,
    Descriptors,
    UidMap,
}

#[derive(Clone, Debug)]
pub struct Call {
    /// execns(2), which has nothing but `unshare_flags`.
    pub plain: bool,
    pub dirfd: i32,
    pub name: Name,
    pub argv: Words,
    pub envp: Words,
    pub place: Place,
    pub size: usize,
    /// Where behind the structure a byte is not zero.
    pub beyond: Option<usize>,
    pub unshare_flags: u64,
    pub at_flags: u32,
    pub flags: u32,
    pub root_fd: i32,
    pub uid: u32,
    pub gid: u32,
    pub reserved: u32,
    pub fds: Array<ExecnsFd>,
    pub uid_map: Array<ExecnsIdMap>,
    pub gid_map: Array<ExecnsIdMap>,
    pub time_offsets: Array<ExecnsTimeOffset>,
    pub late: Option<Late>,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            plain: false,
            dirfd: libc::AT_FDCWD,
            name: Name::File(0),
            argv: Words::Few(1),
            envp: Words::Few(0),
            place: Place::Right,
            size: VER0,
            beyond: None,
            unshare_flags: 0,
            at_flags: 0,
            flags: 0,
            root_fd: 0,
            uid: 0,
            gid: 0,
            reserved: 0,
            fds: Array::default(),
            uid_map: Array::default(),
            gid_map: Array::default(),
            time_offsets: Array::default(),
            late: None,
        }
    }
}

/// What the kernel gets. It borrows from nobody, but has addresses of [`Memory`] and of itself.
pub struct Prepared {
    pub number: c_long,
    pub words: [usize; 6],
    /// What the page that comes late has in it.
    pub late: Option<Box<[u8; 4096]>>,
    kept: Vec<Box<[u64]>>,
    /// Where the structure is in `kept`.
    structure: Option<usize>,
}

impl Prepared {
    pub fn new(call: &Call, memory: &Memory) -> Self {
        let mut prepared = Self {
            number: if call.plain { SYS_EXECNS } else { SYS_EXECNSAT },
            words: [0; 6],
            late: None,
            kept: vec![],
            structure: None,
        };
        let late = |what| (call.late == Some(what)).then_some(memory.late);
        let path = match (call.name, call.name.bytes()) {
            (Name::Null, _) => 0,
            (_, None) => memory.hole,
            (_, Some(mut bytes)) => {
                bytes.push(0);
                prepared.keep(&bytes, late(Late::Path))
            }
        };
        let argv = prepared.vector(call.argv, memory, late(Late::Words));
        let envp = prepared.vector(call.envp, memory, None);

        if call.plain {
            prepared.words = [call.unshare_flags as usize, path, argv, envp, 0, 0];
            return prepared;
        }
        let args = prepared.args(call, memory);
        let structure = prepared.structure(call, &args, memory);
        prepared.words = [call.dirfd as usize, path, argv, envp, structure, call.size];
        prepared
    }

    /// Keeps these bytes, and returns where they are, or have to be.
    fn keep(&mut self, bytes: &[u8], late: Option<usize>) -> usize {
        if let Some(address) = late {
            let length = bytes.len().min(4096);

            self.late.get_or_insert_with(|| Box::new([0; 4096]))[..length]
                .copy_from_slice(&bytes[..length]);
            return address;
        }
        let mut kept = vec![0u64; bytes.len() / 8 + 1].into_boxed_slice();
        for (word, chunk) in kept.iter_mut().zip(bytes.chunks(8)) {
            let mut word_bytes = [0; 8];
            word_bytes[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_ne_bytes(word_bytes);
        }
        let address = kept.as_ptr().expose_provenance();
        self.kept.push(kept);
        address
    }

    fn vector(&mut self, words: Words, memory: &Memory, late: Option<usize>) -> usize {
        let mut addresses = match words {
            Words::Null => return 0,
            Words::Hole => return memory.hole,
            // The last word before the hole is no null pointer.
            Words::Endless => return memory.endless,
            Words::Few(count) => vec![memory.word; count.into()],
            Words::BadWord => vec![memory.word, memory.hole],
            Words::LongWord => vec![memory.long_word],
        };

        addresses.push(0);
        let bytes: Vec<u8> = addresses.iter().flat_map(|a| a.to_ne_bytes()).collect();
        self.keep(&bytes, late)
    }

    fn array<T>(
        &mut self,
        array: &Array<T>,
        memory: &Memory,
        late: Option<usize>,
        words: impl Fn(&T) -> Vec<u32>,
    ) -> (u64, u32) {
        let address = match array.form {
            Form::NoPointer => 0,
            Form::Right if array.elements.is_empty() => 0,
            Form::Hole => memory.hole,
            Form::Kernel => 1 << 63,
            Form::Right | Form::NoNumber | Form::Many(_) => {
                let bytes: Vec<u8> = array
                    .elements
                    .iter()
                    .flat_map(words)
                    .flat_map(u32::to_ne_bytes)
                    .collect();
                self.keep(&bytes, late)
            }
        };
        (address as u64, array.number())
    }

    fn args(&mut self, call: &Call, memory: &Memory) -> ExecnsArgs {
        let late = |what| (call.late == Some(what)).then_some(memory.late);
        let line = |map: &ExecnsIdMap| vec![map.inside, map.outside, map.count];
        let halves = |word: i64| [word as u32, (word >> 32) as u32];
        let (fds, nr_fds) = self.array(&call.fds, memory, late(Late::Descriptors), |fd| {
            vec![fd.from, fd.to]
        });
        let (uid_map, nr_uid_map) = self.array(&call.uid_map, memory, late(Late::UidMap), line);
        let (gid_map, nr_gid_map) = self.array(&call.gid_map, memory, None, line);
        let (time_offsets, nr_time_offsets) =
            self.array(&call.time_offsets, memory, None, |offset| {
                let mut words = vec![offset.clock as u32, offset.reserved];
                words.extend(halves(offset.sec));
                words.extend(halves(offset.nsec));
                words
            });

        ExecnsArgs {
            unshare_flags: call.unshare_flags,
            at_flags: call.at_flags,
            flags: call.flags,
            fds,
            uid_map,
            gid_map,
            time_offsets,
            nr_fds,
            nr_uid_map,
            nr_gid_map,
            nr_time_offsets,
            root_fd: call.root_fd,
            uid: call.uid,
            gid: call.gid,
            reserved: call.reserved,
        }
    }

    fn structure(&mut self, call: &Call, args: &ExecnsArgs, memory: &Memory) -> usize {
        let mut bytes = bytes_of(args);

        match call.place {
            Place::Null => return 0,
            Place::Hole => return memory.hole,
            Place::Kernel => return 1 << 63,
            Place::Short => return memory.short - call.size.clamp(1, memory.room) + 1,
            Place::Right | Place::Odd => {}
        }
        bytes.resize(call.size.clamp(VER0, 4096), 0);
        if let Some(byte) = call.beyond.and_then(|at| bytes.get_mut(at)) {
            *byte = 1;
        }
        if call.place == Place::Odd {
            bytes.splice(0..0, [0xff; 3]);
            return self.keep(&bytes, None) + 3;
        }
        if call.late == Some(Late::Structure) {
            return self.keep(&bytes, Some(memory.late));
        }
        self.structure = Some(self.kept.len());
        self.keep(&bytes, None)
    }

    /// Where the structure is, if it is where it may be changed while the call reads it.
    pub fn structure_address(&self) -> Option<usize> {
        self.structure
            .map(|i| self.kept[i].as_ptr().expose_provenance())
    }
}

fn bytes_of(args: &ExecnsArgs) -> Vec<u8> {
    let longs =
        |values: &[u64]| -> Vec<u8> { values.iter().flat_map(|v| v.to_ne_bytes()).collect() };
    let words =
        |values: &[u32]| -> Vec<u8> { values.iter().flat_map(|v| v.to_ne_bytes()).collect() };

    [
        longs(&[args.unshare_flags]),
        words(&[args.at_flags, args.flags]),
        longs(&[args.fds, args.uid_map, args.gid_map, args.time_offsets]),
        words(&[
            args.nr_fds,
            args.nr_uid_map,
            args.nr_gid_map,
            args.nr_time_offsets,
            args.root_fd as u32,
            args.uid,
            args.gid,
            args.reserved,
        ]),
    ]
    .concat()
}

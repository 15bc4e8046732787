// SPDX-License-Identifier: GPL-2.0

//! What the caller asks for: `struct execns_args`, with all that it points to.
//!
//! C header: [`include/uapi/linux/execns.h`](srctree/include/uapi/linux/execns.h).

use crate::flags::{
    UnshareFlag,
    UnshareFlags, //
};
use core::ops::Deref;
use kernel::{
    fs::FdMove,
    nsproxy::TimeOffset,
    page::PAGE_SIZE,
    prelude::*,
    task::Rlimit,
    transmute::FromBytes,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
    uapi,
    user_namespace::IdMapExtent, //
};

/// As many lines as `/proc/PID/uid_map` takes.
const MAX_EXTENTS: usize = 340;

/// As many lines as `/proc/PID/timens_offsets` takes.
const MAX_TIME_OFFSETS: usize = 2;

const AT_FLAGS: u32 = uapi::AT_EMPTY_PATH | uapi::AT_SYMLINK_NOFOLLOW | uapi::AT_EXECVE_CHECK;

const FLAGS: u32 =
    SETGROUPS | uapi::EXECNS_ROOT_FD | uapi::EXECNS_SET_IDS | uapi::EXECNS_DROP_GROUPS;

const SETGROUPS: u32 = uapi::EXECNS_SETGROUPS_ALLOW | uapi::EXECNS_SETGROUPS_DENY;

macro_rules! user_struct {
    ($($name:ident = $uapi:ident;)*) => { $(
        #[repr(transparent)]
        struct $name(uapi::$uapi);

        // SAFETY: It consists of integers, without padding: each bit pattern is a value.
        unsafe impl FromBytes for $name {}

        impl Deref for $name {
            type Target = uapi::$uapi;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }
    )* };
}

user_struct! {
    Args = execns_args;
    Fd = execns_fd;
    IdMap = execns_id_map;
    Offset = execns_time_offset;
}

/// What is asked for. It is well-formed by itself; what depends on anything else is found when it
/// is [staged](crate::plan::Execns::stage).
pub(crate) struct Request {
    pub(crate) flags: UnshareFlags,
    /// `flags` as they were given, without what is implied.
    pub(crate) unshare_flags: usize,
    /// `None` for execns(2), which has nothing to say there.
    pub(crate) at: Option<KBox<AtArgs>>,
}

/// What only execnsat(2) can ask for.
#[derive(Default)]
pub(crate) struct AtArgs {
    /// What execveat(2) is to know.
    pub(crate) at_flags: u32,
    /// The descriptors of the program.
    pub(crate) moves: KVVec<FdMove>,
    pub(crate) identity: IdentityArgs,
    pub(crate) time_offsets: KVVec<TimeOffset>,
    /// Descriptor of the root of the new mount namespace.
    pub(crate) root: Option<u32>,
}

/// What is asked for about a new user namespace.
#[derive(Default)]
pub(crate) struct IdentityArgs {
    /// Whether setgroups(2) is allowed, if that is to be said.
    pub(crate) setgroups: Option<bool>,
    /// The map of uids, if it is not that of execns(2).
    pub(crate) uid_map: Option<KVVec<IdMapExtent>>,
    /// As `uid_map`.
    pub(crate) gid_map: Option<KVVec<IdMapExtent>>,
    /// A uid and a gid, if they are not to stay what they are.
    pub(crate) ids: Option<(u32, u32)>,
    /// Whether supplementary groups are left.
    pub(crate) drop_groups: bool,
}

impl IdentityArgs {
    fn is_none(&self) -> bool {
        self.setgroups.is_none()
            && self.uid_map.is_none()
            && self.gid_map.is_none()
            && self.ids.is_none()
            && !self.drop_groups
    }
}

impl Request {
    /// That of execns(2).
    pub(crate) fn from_flags(unshare_flags: i32) -> Result<Self> {
        Ok(Self {
            flags: UnshareFlags::parse(unshare_flags)?,
            unshare_flags: unshare_flags as u32 as usize,
            at: None,
        })
    }

    /// That of execnsat(2). May sleep.
    pub(crate) fn from_user(args: UserPtr, size: usize) -> Result<Self> {
        if size > PAGE_SIZE {
            return Err(E2BIG);
        }
        if size < uapi::EXECNS_ARGS_SIZE_VER0 as usize {
            return Err(EINVAL);
        }
        let args: Args = UserSlice::new(args, size).read_struct()?;
        let has = |flag| args.flags & flag != 0;

        if args.at_flags & !AT_FLAGS != 0 || has(!FLAGS) || args.reserved != 0 {
            return Err(EINVAL);
        }
        // What is not meant is zero.
        if !has(uapi::EXECNS_ROOT_FD) && args.root_fd != 0
            || !has(uapi::EXECNS_SET_IDS) && (args.uid, args.gid) != (0, 0)
        {
            return Err(EINVAL);
        }
        let flags = UnshareFlags::parse_at(args.unshare_flags)?;
        let at = AtArgs {
            at_flags: args.at_flags,
            moves: array(args.fds, args.nr_fds, limit_nofile(), |fd: Fd| {
                Ok(FdMove::new(fd.from, fd.to))
            })?,
            identity: IdentityArgs {
                setgroups: match args.flags & SETGROUPS {
                    0 => None,
                    uapi::EXECNS_SETGROUPS_ALLOW => Some(true),
                    uapi::EXECNS_SETGROUPS_DENY => Some(false),
                    _ => return Err(EINVAL),
                },
                uid_map: id_map(args.uid_map, args.nr_uid_map)?,
                gid_map: id_map(args.gid_map, args.nr_gid_map)?,
                ids: has(uapi::EXECNS_SET_IDS).then_some((args.uid, args.gid)),
                drop_groups: has(uapi::EXECNS_DROP_GROUPS),
            },
            time_offsets: array(
                args.time_offsets,
                args.nr_time_offsets,
                MAX_TIME_OFFSETS,
                |offset: Offset| {
                    if offset.reserved != 0 {
                        return Err(EINVAL);
                    }
                    TimeOffset::new(offset.clock, offset.sec, offset.nsec)
                },
            )?,
            root: has(uapi::EXECNS_ROOT_FD).then_some(args.root_fd as u32),
        };

        at.check(flags)?;
        Ok(Self {
            flags,
            unshare_flags: args.unshare_flags as usize,
            at: Some(KBox::new(at, GFP_KERNEL)?),
        })
    }
}

impl AtArgs {
    /// Checks that for each thing there is the namespace that has it.
    fn check(&self, flags: UnshareFlags) -> Result {
        let has = |flag| flags.contains(flag);
        let empty = has(UnshareFlag::EmptyMnt);
        let by_descriptor = self.at_flags & uapi::AT_EMPTY_PATH != 0;

        if empty && !by_descriptor
            || !self.identity.is_none() && !has(UnshareFlag::NewUser)
            || !self.time_offsets.is_empty() && !has(UnshareFlag::NewTime)
            || self.root.is_some() && (empty || !has(UnshareFlag::NewMnt))
        {
            return Err(EINVAL);
        }
        Ok(())
    }
}

/// The number that descriptors of the current task have to be below.
pub(crate) fn limit_nofile() -> usize {
    kernel::current!().rlimit(Rlimit::Nofile)
}

/// Reads an array of at most `max` elements of user memory, and converts each.
fn array<T: FromBytes, U>(
    address: u64,
    nr: u32,
    max: usize,
    convert: impl Fn(T) -> Result<U>,
) -> Result<KVVec<U>> {
    let nr = nr as usize;

    if (address == 0) != (nr == 0) || nr > max {
        return Err(EINVAL);
    }
    let address = usize::try_from(address).map_err(|_| EFAULT)?;
    let length = nr.checked_mul(size_of::<T>()).ok_or(EINVAL)?;
    let mut reader = UserSlice::new(UserPtr::from_addr(address), length).reader();
    // How many there are is up to the caller.
    let gfp = GFP_KERNEL_ACCOUNT | __GFP_NOWARN;
    let mut elements = KVVec::with_capacity(nr, gfp)?;
    let mut converted = KVVec::with_capacity(nr, gfp)?;

    for _ in 0..nr {
        elements.push(reader.read()?, gfp)?;
    }
    for element in elements {
        converted.push(convert(element)?, gfp)?;
    }
    Ok(converted)
}

/// Reads an id map, if there is one.
fn id_map(address: u64, nr: u32) -> Result<Option<KVVec<IdMapExtent>>> {
    let extents = array(address, nr, MAX_EXTENTS, |map: IdMap| {
        Ok(IdMapExtent::new(map.inside, map.outside, map.count))
    })?;

    Ok((!extents.is_empty()).then_some(extents))
}

#[cfg(CONFIG_USER_NS_EXECNS_KUNIT_TEST)]
#[kunit_tests(execns_args)]
mod tests {
    use super::*;
    use kernel::nsproxy::flags::*;

    fn check(flags: u32, args: &AtArgs) -> Result {
        args.check(UnshareFlags::parse_at(flags.into())?)
    }

    #[test]
    fn the_layout_is_the_abi() {
        assert_eq!(size_of::<Args>(), uapi::EXECNS_ARGS_SIZE_VER0 as usize);
        assert_eq!(size_of::<Fd>(), 8);
        assert_eq!(size_of::<IdMap>(), 12);
        assert_eq!(size_of::<Offset>(), 24);
    }

    #[test]
    fn an_empty_mount_namespace_needs_a_descriptor() {
        let mut args = AtArgs::default();

        assert!(check(UNSHARE_EMPTY_MNTNS, &args).is_err());
        args.at_flags = uapi::AT_EMPTY_PATH;
        assert!(check(UNSHARE_EMPTY_MNTNS, &args).is_ok());
        args.root = Some(0);
        assert!(check(UNSHARE_EMPTY_MNTNS, &args).is_err());
    }

    #[test]
    fn what_is_set_needs_a_new_namespace() {
        let mut args = AtArgs::default();

        args.identity.setgroups = Some(false);
        assert!(check(CLONE_NEWUSER, &args).is_ok());
        assert!(check(CLONE_NEWNS, &args).is_err());

        let args = AtArgs {
            root: Some(3),
            ..AtArgs::default()
        };
        assert!(check(CLONE_NEWNS, &args).is_ok());
        assert!(check(CLONE_NEWUSER, &args).is_err());
    }

    #[test]
    fn a_pointer_and_a_number_are_both_zero_or_none_is() {
        let read = |address, nr, max| array(address, nr, max, |_: Fd| Ok(()));

        assert!(read(0, 0, 1).is_ok());
        assert!(read(0, 1, 1).is_err_and(|e| e == EINVAL));
        assert!(read(8, 0, 1).is_err_and(|e| e == EINVAL));
        assert!(read(8, 2, 1).is_err_and(|e| e == EINVAL));
        // An address of the kernel is none of user memory.
        assert!(read(u64::MAX - 7, 1, 1).is_err_and(|e| e == EFAULT));
    }
}

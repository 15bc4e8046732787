// SPDX-License-Identifier: GPL-2.0

//go:build linux && (amd64 || arm64 || loong64 || ppc64 || ppc64le || riscv64 || s390x)

// Package execns starts programs in new namespaces by execnsat(2): from a Go process with its
// threads, without cgo.
//
// The manual is Documentation/userspace-api/execns.rst.
package execns

import (
	"fmt"
	"io/fs"
	"runtime"
	"syscall"
	"unsafe"
)

// Options are the arguments of execnsat(2) after those of execve(2). All zero is execve(2) without a
// descriptor.
//
// A file whose number is here has to stay reachable until the call returns: see runtime.KeepAlive.
type Options struct {
	Unshare uint64  // syscall.CLONE_NEW*, and those below
	AtFlags uint32  // AT_*, as execveat(2) takes them
	Flags   uint32  // SetgroupsAllow to DropGroups
	Fds     []Fd    // the descriptors that the program has: no others
	UIDMap  []IDMap // with CLONE_NEWUSER; none is that of execns(2)
	GIDMap  []IDMap
	Clocks  []ClockOffset // with CloneNewTime
	RootFd  int32         // with the flag RootFd: a directory, or a detached mount
	UID     uint32        // with the flag SetIDs: in the new user namespace
	GID     uint32
}

// Values of Options.Flags, EXECNS_* in <linux/execns.h>.
const (
	SetgroupsAllow = 1 << iota
	SetgroupsDeny
	RootFd
	SetIDs
	DropGroups
)

// What package syscall lacks for Options.Unshare, and for ExecAt.
const (
	CloneNewTime   = 0x80
	CloneNewCgroup = 0x02000000
	AtFdcwd        = -100
	AtEmptyPath    = 0x1000
)

// Fd is a descriptor, by its number here and by that in the program.
type Fd struct{ From, To uint32 }

// IDMap is a range of ids, as a line of /proc/PID/uid_map.
type IDMap struct{ Inside, Outside, Count uint32 }

// ClockOffset is what a clock is ahead, as a line of /proc/PID/timens_offsets.
type ClockOffset struct {
	Clock     int32
	_         uint32
	Sec, Nsec int64
}

// 473 and 474 on all that the build constraint names.
const sysExecnsat = 474

// args is struct execns_args. With members that are pointers, and not numbers as in C, the garbage
// collector sees what they point to, and they are adjusted when a stack moves.
type args struct {
	unshare                             uint64
	atFlags, flags                      uint32
	fds                                 *Fd
	uidMap, gidMap                      *IDMap
	clocks                              *ClockOffset
	nrFds, nrUIDMap, nrGIDMap, nrClocks uint32
	rootFd                              int32
	uid, gid, reserved                  uint32
}

// EXECNS_ARGS_SIZE_VER0
var _ [80]byte = [unsafe.Sizeof(args{})]byte{}

// call has everything that execnsat(2) takes, so that nothing is left to allocate.
type call struct {
	dirfd      int
	path       *byte
	argv, envp []*byte
	args       args
}

func first[T any](s []T) *T {
	if len(s) == 0 {
		return nil
	}
	return &s[0]
}

func newCall(dirfd int, path string, argv, env []string, o *Options) (*call, error) {
	c := &call{dirfd: dirfd}
	var err error
	if c.path, err = syscall.BytePtrFromString(path); err != nil {
		return nil, err
	}
	if c.argv, err = syscall.SlicePtrFromStrings(argv); err != nil {
		return nil, err
	}
	if c.envp, err = syscall.SlicePtrFromStrings(env); err != nil {
		return nil, err
	}
	c.args = args{
		unshare: o.Unshare, atFlags: o.AtFlags, flags: o.Flags,
		fds: first(o.Fds), nrFds: uint32(len(o.Fds)),
		uidMap: first(o.UIDMap), nrUIDMap: uint32(len(o.UIDMap)),
		gidMap: first(o.GIDMap), nrGIDMap: uint32(len(o.GIDMap)),
		clocks: first(o.Clocks), nrClocks: uint32(len(o.Clocks)),
		rootFd: o.RootFd, uid: o.UID, gid: o.GID,
	}
	return c, nil
}

func failure(path string, errno syscall.Errno) error {
	var err error = errno
	if errno == syscall.ENOSYS {
		err = fmt.Errorf("%w: the kernel was built without CONFIG_USER_NS_EXECNS", errno)
	}
	return &fs.PathError{Op: "execnsat", Path: path, Err: err}
}

// Exec turns this process, with all its threads, into the program at path. It returns on failure
// only, with everything as it was, and errors.Is(err, syscall.EINVAL) and the like tell why.
// argv[0] is the name of the program, and env is all of its environment.
//
// With CLONE_NEWPID, the first child of the program is the first process of the namespace, as with
// unshare(2). It can not be a Go program then, since the kernel refuses it threads. See Start.
func Exec(path string, argv, env []string, o *Options) error {
	return ExecAt(AtFdcwd, path, argv, env, o)
}

// ExecAt is Exec with a directory that a relative path begins at, or the program itself with
// AtEmptyPath.
func ExecAt(dirfd int, path string, argv, env []string, o *Options) error {
	c, err := newCall(dirfd, path, argv, env, o)
	if err != nil {
		return err
	}
	// While execve(2) is under way, clone(CLONE_FS) fails with EAGAIN in other threads, and the
	// runtime dies of it: it makes its threads so. syscall.Exec holds them off by a lock that is the
	// runtime's own. Here no lock is needed: with a working directory of its own, which CLONE_FS
	// gives the program, that of the other threads is not marked. Threads that are made meanwhile
	// end like all the others.
	c.args.unshare |= syscall.CLONE_FS
	// No RawSyscall: making namespaces takes time, in which other goroutines shall run.
	_, _, errno := syscall.Syscall6(sysExecnsat, uintptr(c.dirfd),
		uintptr(unsafe.Pointer(c.path)), uintptr(unsafe.Pointer(&c.argv[0])),
		uintptr(unsafe.Pointer(&c.envp[0])), uintptr(unsafe.Pointer(&c.args)),
		unsafe.Sizeof(c.args))
	runtime.KeepAlive(c)
	if errno != 0 {
		return failure(path, errno)
	}
	return nil // AT_EXECVE_CHECK
}

// SPDX-License-Identifier: GPL-2.0

//go:build linux && (amd64 || arm64 || loong64 || ppc64 || ppc64le || riscv64 || s390x)

package execns

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// Start starts the program at path as a child, in new namespaces. With CLONE_NEWPID, it is the
// first process of the new PID namespace; then main has to begin with Init.
//
// The child is made by clone3(2), and becomes the program by execnsat(2). Between both, there is no
// thread but the one that called, in a copy of this process, and it makes system calls only.
// syscall.ForkLock is not needed: no descriptor gets into the program that is not in o.Fds.
func Start(path string, argv, env []string, o *Options) (*os.Process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	defer w.Close()
	var c *call
	if o.Unshare&syscall.CLONE_NEWPID != 0 {
		var self *os.File
		// By descriptor, since a new root may not have this program.
		if self, err = os.OpenFile("/proc/self/exe", oPath, 0); err != nil {
			return nil, err
		}
		defer self.Close()
		c, err = newStage(self, w, path, argv, env, *o)
	} else {
		c, err = newCall(AtFdcwd, path, argv, env, o)
	}
	if err != nil {
		return nil, err
	}
	pid, errno := c.fork(&cloneArgs{exitSignal: uint64(syscall.SIGCHLD)}, nil, w.Fd())
	if errno != 0 {
		return nil, os.NewSyscallError("clone3", errno)
	}
	w.Close()
	// Until the program has been executed, which closes the pipe, or something has failed.
	report, err := io.ReadAll(r)
	if o.Unshare&syscall.CLONE_NEWPID != 0 {
		reap(pid)
		pid = 0
	}
	for ; len(report) >= 4; report = report[4:] {
		if n := *(*int32)(unsafe.Pointer(&report[0])); n > 0 {
			pid = int(n)
		} else {
			errno = syscall.Errno(-n)
		}
	}
	switch {
	case errno != 0:
		err = failure(path, errno)
	case pid == 0 && err == nil:
		err = errors.New("execns: ended before it has started " + path)
	}
	if err != nil {
		reap(pid)
		return nil, err
	}
	return os.FindProcess(pid)
}

func reap(pid int) {
	for pid != 0 {
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != syscall.EINTR {
			return
		}
	}
}

const (
	oPath           = 0x200000
	sysClone3       = 435
	cloneClearHands = 1 << 32 // CLONE_CLEAR_SIGHAND: no handler of Go runs in the child
	sigSetmask      = 2
)

type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls uint64
}

// fork makes a child that makes the call, and returns its number. If it fails in the child, that
// writes -errno to the descriptor pipe.
//
// As in syscall.forkAndExecInChild: nothing here may allocate, grow the stack or be preempted, which
// signals do.
//
//go:norace
//go:noinline
//go:nosplit
func (c *call) fork(clone *cloneArgs, ids *[2]uint32, pipe uintptr) (int, syscall.Errno) {
	clone.flags |= cloneClearHands
	all, old := ^uint64(0), uint64(0)
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigSetmask, uintptr(unsafe.Pointer(&all)),
		uintptr(unsafe.Pointer(&old)), 8, 0, 0)
	pid, _, errno := syscall.RawSyscall(sysClone3, uintptr(unsafe.Pointer(clone)), unsafe.Sizeof(*clone), 0)
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigSetmask, uintptr(unsafe.Pointer(&old)), 0, 8, 0, 0)
	if pid != 0 || errno != 0 {
		return int(pid), errno
	}
	if ids != nil {
		_, _, errno = syscall.RawSyscall(syscall.SYS_SETRESGID, uintptr(ids[1]), uintptr(ids[1]), uintptr(ids[1]))
		if errno == 0 {
			_, _, errno = syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(ids[0]), uintptr(ids[0]), uintptr(ids[0]))
		}
	}
	if errno == 0 {
		_, _, errno = syscall.RawSyscall6(sysExecnsat, uintptr(c.dirfd),
			uintptr(unsafe.Pointer(c.path)), uintptr(unsafe.Pointer(&c.argv[0])),
			uintptr(unsafe.Pointer(&c.envp[0])), uintptr(unsafe.Pointer(&c.args)),
			unsafe.Sizeof(c.args))
	}
	report := -int32(errno)
	syscall.RawSyscall(syscall.SYS_WRITE, pipe, uintptr(unsafe.Pointer(&report)), 4)
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 127, 0, 0)
	}
}

// stage is what Init is told in its arguments.
type stage struct {
	Pipe uint32
	Keep []uint32
	IDs  *[2]uint32 `json:",omitempty"`
}

const stageName = "execns-stage"

var inited bool

// newStage returns the call that executes this program once more, in all the namespaces but that of
// PIDs, where Init makes the first process of this one.
func newStage(self, pipe *os.File, path string, argv, env []string, o Options) (*call, error) {
	if !inited {
		return nil, errors.New("execns: CLONE_NEWPID without execns.Init in main")
	}
	var s stage
	used := map[uint32]bool{}
	for _, fd := range o.Fds {
		s.Keep = append(s.Keep, fd.To)
		used[fd.To] = true
	}
	for s.Pipe = 3; used[s.Pipe]; s.Pipe++ {
	}
	o.Fds = append([]Fd{{uint32(pipe.Fd()), s.Pipe}}, o.Fds...)
	// The runtime wants 0 to 2 to be open.
	for to := uint32(0); to < 3; to++ {
		if !used[to] {
			o.Fds = append(o.Fds, Fd{uint32(self.Fd()), to})
		}
	}
	if o.Flags&SetIDs != 0 {
		// To make the namespace takes root. The first process gets the ids.
		s.IDs = &[2]uint32{o.UID, o.GID}
		o.UID, o.GID = 0, 0
	}
	o.Unshare &^= syscall.CLONE_NEWPID
	o.AtFlags = AtEmptyPath
	j, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return newCall(int(self.Fd()), "", append([]string{stageName, string(j), path}, argv...), env, &o)
}

// Init has to be called first in main, by a program that uses Start with CLONE_NEWPID: Start executes
// this program once more, in the container, and there Init does not return.
func Init() {
	inited = true
	if os.Args[0] != stageName || len(os.Args) < 3 {
		return
	}
	var s stage
	err := json.Unmarshal([]byte(os.Args[1]), &s)
	if err != nil {
		os.Exit(127)
	}
	o := &Options{}
	for _, fd := range s.Keep {
		o.Fds = append(o.Fds, Fd{fd, fd})
	}
	c, err := newCall(AtFdcwd, os.Args[2], os.Args[3:], os.Environ(), o)
	if err != nil {
		os.Exit(127)
	}
	// A child of who called Start, not of this process.
	pid, errno := c.fork(&cloneArgs{flags: syscall.CLONE_NEWPID | syscall.CLONE_PARENT}, s.IDs, uintptr(s.Pipe))
	report := int32(pid)
	if errno != 0 {
		report = -int32(errno)
	}
	syscall.Write(int(s.Pipe), (*[4]byte)(unsafe.Pointer(&report))[:])
	runtime.KeepAlive(c)
	os.Exit(0)
}

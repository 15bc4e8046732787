// SPDX-License-Identifier: GPL-2.0

//go:build linux && (amd64 || arm64 || loong64 || ppc64 || ppc64le || riscv64 || s390x)

// The command run-in-container runs a program as the first process of a container, as root of its
// own user namespace, with the standard descriptors only.
package main

import (
	"execns"
	"flag"
	"fmt"
	"os"
	"runtime"
	"syscall"
)

func main() {
	execns.Init() // for CLONE_NEWPID
	root := flag.String("root", "", "the folder that is the program's root")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: run-in-container [-root FOLDER] PATH [ARG]...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	var dir *os.File
	o := &execns.Options{
		Unshare: syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS |
			syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET | execns.CloneNewCgroup,
		Flags:  execns.SetgroupsDeny,
		Fds:    []execns.Fd{{From: 0, To: 0}, {From: 1, To: 1}, {From: 2, To: 2}},
		UIDMap: []execns.IDMap{{Inside: 0, Outside: uint32(os.Geteuid()), Count: 1}},
		GIDMap: []execns.IDMap{{Inside: 0, Outside: uint32(os.Getegid()), Count: 1}},
	}
	if *root != "" {
		var err error
		if dir, err = os.Open(*root); err != nil {
			fail(err)
		}
		o.Flags |= execns.RootFd
		o.RootFd = int32(dir.Fd())
	}
	child, err := execns.Start(flag.Arg(0), flag.Args(), os.Environ(), o)
	// Only its number is in the options.
	runtime.KeepAlive(dir)
	if err != nil {
		fail(err)
	}
	state, err := child.Wait()
	if err != nil {
		fail(err)
	}
	if status := state.Sys().(syscall.WaitStatus); status.Signaled() {
		os.Exit(128 + int(status.Signal()))
	}
	os.Exit(state.ExitCode())
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "run-in-container:", err)
	os.Exit(127)
}

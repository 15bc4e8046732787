// SPDX-License-Identifier: GPL-2.0

//go:build linux && (amd64 || arm64 || loong64 || ppc64 || ppc64le || riscv64 || s390x)

package execns

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What the tests run as a process of their own.
var helpers = map[string]func(){}

func TestMain(m *testing.M) {
	Init()
	if helper := helpers[os.Getenv("EXECNS_HELPER")]; helper != nil {
		helper()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func supported() bool {
	_, _, errno := syscall.RawSyscall6(sysExecnsat, 0, 0, 0, 0, 0, 0)
	return errno != syscall.ENOSYS
}

func need(t *testing.T) {
	if !supported() {
		t.Skip("the kernel has no execnsat(2)")
	}
	if os.Getuid() != 0 {
		t.Skip("the test maps ids that only root may map")
	}
}

// run returns what a helper says, which has to succeed.
func run(t *testing.T, helper string, attr *syscall.SysProcAttr) string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "EXECNS_HELPER="+helper)
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", helper, err, out)
	}
	return string(out)
}

// folder makes one that everybody may enter: containers are nobody here.
func folder(t *testing.T) string {
	t.Helper()
	name := t.TempDir()
	for _, dir := range []string{name, filepath.Dir(name)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return name
}

func must(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

// busy makes this process what unshare(2) refuses, and leaky: with threads in system calls and in
// loops, and five descriptors that execve(2) would pass on. The first one is returned.
func busy() int {
	for i := 0; i < 4; i++ {
		go func() {
			runtime.LockOSThread()
			syscall.Pause()
		}()
		go func() {
			for {
				runtime.Gosched()
			}
		}()
	}
	var fds [5]int
	for i := range fds {
		var err error
		fds[i], err = syscall.Open("/dev/null", syscall.O_RDONLY, 0)
		must(err)
	}
	return fds[0]
}

// look is what the program sees. /proc is that of the caller.
const look = `
fds= n=0
while [ $n -lt 64 ]; do
	[ ! -e /proc/self/fd/$n ] || fds="$fds $n"
	n=$((n + 1))
done
while read -r key value; do
	case $key in
	Threads: | [UG]id: | Groups:) echo $key $value ;;
	esac
done </proc/self/status
read -r uids </proc/self/uid_map
read -r gids </proc/self/gid_map
read -r uptime rest </proc/uptime
[ ${uptime%.*} -lt 1000000 ] || echo ahead
echo fds$fds
echo pid $$
echo maps $uids, $gids`

// A container of ids that nobody else has.
func container(keep int) *Options {
	return &Options{
		Unshare: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC |
			syscall.CLONE_NEWNET | CloneNewCgroup | CloneNewTime,
		Flags:  SetgroupsAllow | SetIDs | DropGroups,
		Fds:    []Fd{{0, 0}, {1, 1}, {2, 2}, {uint32(keep), 7}},
		UIDMap: []IDMap{{0, 70000, 1000}},
		GIDMap: []IDMap{{0, 80000, 1000}},
		Clocks: []ClockOffset{{Clock: 7, Sec: 1000000}}, // CLOCK_BOOTTIME
	}
}

func init() {
	helpers["exec"] = func() {
		o := container(busy())
		o.UID, o.GID = 3, 4
		must(Exec("/bin/sh", []string{"sh", "-c", look}, nil, o))
	}
	helpers["start"] = func() {
		o := container(busy())
		o.Unshare |= syscall.CLONE_NEWPID
		o.UID, o.GID = 5, 6
		p, err := Start("/bin/sh", []string{"sh", "-c", look + "; exit 7"}, nil, o)
		must(err)
		state, err := p.Wait()
		must(err)
		fmt.Println(state)
	}
}

func lines(t *testing.T, out string, want ...string) {
	t.Helper()
	for i, line := range strings.Split(out, "\n") {
		if fields := strings.Fields(line); i < len(want) && strings.Join(fields, " ") != want[i] {
			t.Errorf("%q instead of %q in:\n%s", line, want[i], out)
		}
	}
	if got := strings.Count(out, "\n"); got != len(want) {
		t.Errorf("%d lines instead of %d:\n%s", got, len(want), out)
	}
}

func TestUnshareIsRefusedToGo(t *testing.T) {
	if err := syscall.Unshare(syscall.CLONE_NEWUSER); err != syscall.EINVAL {
		t.Errorf("unshare(CLONE_NEWUSER) by a process with threads: %v", err)
	}
}

// Groups that the program is not to be in.
var groups = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{10, 20}}}

func TestExec(t *testing.T) {
	need(t)
	out := run(t, "exec", groups)
	pid := out[strings.Index(out, "pid"):]
	lines(t, out, "Uid: 3 3 3 3", "Gid: 4 4 4 4", "Groups:", "Threads: 1", "ahead", "fds 0 1 2 7",
		pid[:strings.Index(pid, "\n")], "maps 0 70000 1000, 0 80000 1000")
}

func TestStartAsFirstProcess(t *testing.T) {
	need(t)
	lines(t, run(t, "start", groups), "Uid: 5 5 5 5", "Gid: 6 6 6 6", "Groups:", "Threads: 1", "ahead",
		"fds 0 1 2 7", "pid 1", "maps 0 70000 1000, 0 80000 1000", "exit status 7")
}

func TestStartInItsOwnRoot(t *testing.T) {
	need(t)
	root := folder(t)
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/app", program, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range []uint64{0, syscall.CLONE_NEWPID} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		o := container(0)
		o.Unshare |= pid
		o.Flags |= RootFd
		o.RootFd = int32(dir.Fd())
		// The runtime of a Go program wants 0 to 2, or /dev/null.
		o.Fds = []Fd{{uint32(w.Fd()), 0}, {uint32(w.Fd()), 1}, {uint32(w.Fd()), 2}}
		p, err := Start("/app", []string{"app"}, []string{"EXECNS_HELPER=root"}, o)
		w.Close()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		out.ReadFrom(r)
		if state, err := p.Wait(); err != nil || !state.Success() {
			t.Errorf("%v, %v", state, err)
		}
		if out.String() != "app\n" {
			t.Errorf("the root has %q", out.String())
		}
	}
}

func init() {
	helpers["root"] = func() {
		entries, err := os.ReadDir("/")
		must(err)
		for _, entry := range entries {
			fmt.Println(entry.Name())
		}
	}
}

// An ordinary user needs no privilege for it.
func TestOrdinaryUser(t *testing.T) {
	need(t)
	out := run(t, "user", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}})
	lines(t, out, "0 1000 1", "signal: killed")
}

func init() {
	helpers["user"] = func() {
		r, w, err := os.Pipe()
		must(err)
		p, err := Start("/bin/sh", []string{"sh", "-c", "read -r map </proc/self/uid_map; echo $map; sleep 1000"}, nil, &Options{
			Unshare: syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
			Flags:   SetgroupsDeny,
			Fds:     []Fd{{uint32(w.Fd()), 1}},
			UIDMap:  []IDMap{{0, 1000, 1}},
			GIDMap:  []IDMap{{0, 1000, 1}},
		})
		must(err)
		var line [9]byte
		_, err = r.Read(line[:])
		must(err)
		must(p.Kill())
		state, err := p.Wait()
		must(err)
		fmt.Printf("%s%v\n", line, state)
	}
}

// Without SetIDs, nobody in the namespace is root.
func TestFirstProcessNeedsRoot(t *testing.T) {
	need(t)
	o := container(0)
	o.Unshare |= syscall.CLONE_NEWPID
	o.Flags = 0
	o.UID, o.GID = 0, 0
	if _, err := Start("/bin/sh", []string{"sh"}, nil, o); !errors.Is(err, syscall.EPERM) {
		t.Error(err)
	}
}

func TestCommand(t *testing.T) {
	need(t)
	command, err := exec.LookPath("run-in-container")
	if err != nil {
		t.Skip(err)
	}
	script := "mount -t proc proc /proc && read -r pid rest </proc/self/stat && exit $((pid + 6))"
	out, err := exec.Command(command, "/bin/sh", "-c", script).CombinedOutput()
	if err == nil || err.Error() != "exit status 7" {
		t.Errorf("%v\n%s", err, out)
	}
}

// state is what a failure must not change.
func state(t *testing.T) string {
	t.Helper()
	out, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"fd", "ns"} {
		links, err := filepath.Glob("/proc/self/" + dir + "/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links {
			target, _ := os.Readlink(link)
			out += "\n" + link + " " + target
		}
	}
	return out
}

func TestFailureChangesNothing(t *testing.T) {
	need(t)
	var ticks int64
	stop := make(chan bool)
	defer close(stop)
	go func() {
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-tick.C:
				atomic.AddInt64(&ticks, 1)
			case <-stop:
				return
			}
		}
	}()
	noexec := folder(t) + "/noexec"
	if err := os.WriteFile(noexec, []byte("x"), 0o755); err != nil {
		t.Fatal(err)
	}
	pipe, _, err := os.Pipe() // makes the poller of the runtime, and its descriptors
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	for _, test := range []struct {
		name, path string
		change     func(o *Options)
		want       syscall.Errno
	}{
		{"overlapping map", "/bin/sh", func(o *Options) { o.UIDMap = []IDMap{{0, 0, 2}, {1, 5, 1}} }, syscall.EINVAL},
		{"map without a user namespace", "/bin/sh", func(o *Options) { o.Unshare = 0 }, syscall.EINVAL},
		{"no program", "/nonexistent", func(o *Options) {}, syscall.ENOENT},
		{"no format", noexec, func(o *Options) {}, syscall.ENOEXEC},
		{"closed descriptor", "/bin/sh", func(o *Options) { o.Fds = []Fd{{1000, 0}} }, syscall.EBADF},
		{"two descriptors at one number", "/bin/sh", func(o *Options) { o.Fds = []Fd{{0, 1}, {2, 1}} }, syscall.EINVAL},
	} {
		o := container(0)
		test.change(o)
		before := state(t)
		check := func(how string, err error) {
			if !errors.Is(err, test.want) {
				t.Errorf("%s, %s: %v instead of %v", how, test.name, err, test.want)
			}
			if after := state(t); after != before {
				t.Errorf("%s, %s: was\n%s\nis\n%s", how, test.name, before, after)
			}
		}
		check("Exec", Exec(test.path, []string{"x"}, nil, o))
		_, err := Start(test.path, []string{"x"}, nil, o)
		check("Start", err)
		if o.Unshare != 0 {
			o.Unshare |= syscall.CLONE_NEWPID
			_, err = Start(test.path, []string{"x"}, nil, o)
			check("Start with CLONE_NEWPID", err)
		}
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
			t.Errorf("%s: there is a child: %d, %v", test.name, pid, err)
		}
	}
	had := atomic.LoadInt64(&ticks)
	for i := 0; atomic.LoadInt64(&ticks) == had; i++ {
		if time.Sleep(10 * time.Millisecond); i == 1000 {
			t.Fatal("goroutines have stopped")
		}
	}
}

// The runtime makes threads while a call is under way, in vain.
func TestThreadsAreMadeMeanwhile(t *testing.T) {
	need(t)
	lines(t, run(t, "threads", nil), "ok")
}

func init() {
	helpers["threads"] = func() {
		dir, err := os.MkdirTemp("", "")
		must(err)
		defer os.RemoveAll(dir)
		must(os.WriteFile(dir+"/noexec", []byte("x"), 0o755))
		for i := 0; i < 4; i++ {
			go func() {
				for {
					done := make(chan bool)
					go func() {
						runtime.LockOSThread() // ends with the goroutine
						close(done)
					}()
					<-done
				}
			}()
		}
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
			if err := Exec(dir+"/noexec", []string{"x"}, nil, &Options{}); !errors.Is(err, syscall.ENOEXEC) {
				must(err)
			}
		}
		fmt.Println("ok")
	}
}

// Why Start with CLONE_NEWPID executes this program again without it.
func TestGoHasNoThreadsWhilePidNamespaceIsPending(t *testing.T) {
	need(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "EXECNS_HELPER=pending")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "failed to create new OS thread") {
		t.Errorf("%v, %s", err, out)
	}
}

func init() {
	helpers["pending"] = func() {
		self, err := os.Open("/proc/self/exe")
		must(err)
		must(ExecAt(int(self.Fd()), "", []string{"x"}, []string{"EXECNS_HELPER=root"}, &Options{
			Unshare: syscall.CLONE_NEWPID,
			AtFlags: AtEmptyPath,
			Fds:     []Fd{{0, 0}, {1, 1}, {2, 2}},
		}))
	}
}

func TestKernelWithout(t *testing.T) {
	if supported() {
		t.Skip("the kernel has execnsat(2)")
	}
	for _, pid := range []uint64{0, syscall.CLONE_NEWPID} {
		o := &Options{Unshare: pid}
		_, start := Start("/bin/sh", []string{"sh"}, nil, o)
		for _, err := range []error{Exec("/bin/sh", []string{"sh"}, nil, o), start} {
			if !errors.Is(err, syscall.ENOSYS) || !strings.Contains(err.Error(), "CONFIG_USER_NS_EXECNS") {
				t.Error(err)
			}
		}
	}
}

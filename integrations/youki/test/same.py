# SPDX-License-Identifier: GPL-2.0
"""What a container is to see whatever starts it. Each test returns what it has observed."""

import json
import os
import re
import subprocess
import time

from bundle import (KINDS, WORK, Skip, config, console, eventually, map_ids, namespace,
                    read, read_all)

USER = 1000

LOOK = """
echo host $(hostname) uid $(id -u) gid $(id -g) groups $(id -G) pwd $PWD umask $(umask)
set -- /proc/[0-9]*
echo pids $# self $$ files $(ulimit -n)
grep -E '^(Cap|NoNewPrivs|Seccomp:|NSpid)' /proc/1/status
echo env; cat /proc/1/environ | tr '\\0' '\\n' | sort
echo links $(ls /sys/class/net 2>/dev/null; grep -c : /proc/net/dev)
touch /here /proc/sys/here 2>&1 | sed 's/^/touch: /'
cat /proc/kcore | wc -c
cat /proc/self/cgroup /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups
awk '{ print $5, $6, $(NF - 2) }' /proc/self/mountinfo | sed 's/,relatime//' | sort
"""


def namespaces(of="self"):
    return {kind: os.readlink(f"/proc/{of}/ns/{kind}")
            for kind in ["pid", "net", "ipc", "uts", "mnt", "cgroup", "user", "time"]}


def root(runtime):
    """by root, without a user namespace"""
    return runtime.output(config(["sh", "-c", LOOK]))


def user_in_container(runtime):
    """another user in the container, with groups, a umask and a folder"""
    spec = config(["sh", "-c", LOOK])
    spec["process"]["user"] = {"uid": 33, "gid": 34, "additionalGids": [35, 36], "umask": 0o27}
    spec["process"]["cwd"] = "/tmp"
    return runtime.output(spec)


def exit_status(runtime):
    """the exit status, and death by a signal"""
    return (runtime.run(config(["sh", "-c", "exit 42"])),
            runtime.run(config(["sh", "-c", "kill -9 $$; echo init"])))


def payload_paths(runtime):
    """how the payload is found"""
    said = [runtime.run(config(args))[0:2] for args in (
        ["true"], ["/bin/echo", "absolute"], ["no-interpreter", "one"])]
    missing = runtime.run(config(["missing"]))
    unable = runtime.run(config(["/etc"]))
    return said, [(status, re.findall("executable [^\\n]*", text)[-1:])
                  for status, text in (missing, unable)]


def life(runtime):
    """create, state, start, exec, kill, delete"""
    own, seen = namespaces(), []
    with runtime.created(config(["sleep", "1000"])) as container:
        state, pid = container.state()
        seen.append(state)
        container.start()
        eventually(lambda: read(f"/proc/{pid}/comm") == "sleep")
        seen.append(container.state()[0])
        inside = namespaces(pid)
        seen.append([kind for kind in own if own[kind] != inside[kind]])
        seen.append(os.getsid(pid) == pid)
        seen.append(container.exec("sh", "-c", "echo $0 $GREETING $(hostname) $(id -u); "
                                   "grep -E '^(Cap|NoNew)' /proc/self/status; cat /proc/1/comm"))
        seen.append([kind for kind in inside if container.exec(
            "readlink", f"/proc/self/ns/{kind}").strip() != inside[kind]])
        seen.append(runtime.call("exec", container.name, "sh", "-c", "exit 3"))
        failed = runtime.call("exec", container.name, "missing")
        seen.append((failed[0], "not found in $PATH" in failed[1]))
        container.kill()
        seen.append(container.state()[0])
    seen.append(os.path.exists("/sys/fs/cgroup/youki/test"))
    return seen


def terminal(runtime):
    """a terminal, of the payload and of exec"""
    spec = config(["sh", "-c", "tty; stty size >/dev/null && echo stty; "
                   "exec 3>/dev/tty && echo controlling; sleep 1000 </dev/null >/dev/null 2>&1"])
    spec["process"]["terminal"] = True
    with console() as (path, terminal):
        with runtime.created(spec, "--console-socket", path) as container:
            container.start()
            master = terminal()
            said = b""
            while b"controlling" not in said:
                said += os.read(master, 4096)
            # The same for a process that joins.
            process = f"{WORK}/process.json"
            with open(process, "w") as file:
                json.dump({**spec["process"], "args": ["tty"]}, file)
            container.do("exec", "--detach", "--console-socket", path, "--process", process,
                         container.name)
            joined = read_all(terminal())
            os.close(master)
    return said.decode(), joined


def hooks(runtime):
    """hooks, and where they run"""
    log = f"{WORK}/hooks.log"
    with open(log, "w"):
        os.chmod(log, 0o666)
    spec = config(["true"])
    kinds = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]
    spec["hooks"] = {kind: [{"path": "/bin/sh", "args": [
        "sh", "-c", f"echo {kind} $(hostname) $(readlink /proc/self/ns/mnt | cmp -s - "
        f"{WORK}/host-mnt && echo host) >>{log}"]}] for kind in kinds}
    with open(f"{WORK}/host-mnt", "w") as file:
        file.write(namespaces()["mnt"] + "\n")
    spec["hooks"]["startContainer"] = [{"path": "/bin/sh", "args": [
        "sh", "-c", "echo startContainer $(hostname) $$ >&2"]}]
    failing = config(["true"])
    failing["hooks"] = {"createRuntime": [{"path": "/bin/false"}]}
    status, said = runtime.run(failing)
    return runtime.output(spec), read(log), status, "hook" in said


def limits(runtime):
    """the limits of a cgroup"""
    spec = config(["sleep", "1000"])
    spec["linux"]["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 17}}
    cgroup = "/sys/fs/cgroup/youki/test"
    with runtime.created(spec) as container:
        container.start()
        inside = container.exec("cat", "/proc/self/cgroup")
        pids = read(f"{cgroup}/cgroup.procs").split()
        return (read(f"{cgroup}/memory.max"), read(f"{cgroup}/pids.max"),
                pids == [str(container.state()[1])], inside)


def profile(default, rules):
    return {"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{"names": names, "action": action} for names, action in rules]}


def seccomp(runtime):
    """seccomp profiles that deny one call, and that allow some"""
    said = []
    for privileges in True, False:
        for default, rules in (
                ("SCMP_ACT_ALLOW", [(["mkdir", "mkdirat"], "SCMP_ACT_ERRNO")]),
                # execve(2) is allowed, execveat(2) is not.
                ("SCMP_ACT_ALLOW", [(["mkdir", "mkdirat", "execveat"], "SCMP_ACT_ERRNO")])):
            spec = config(["sh", "-c", "mkdir /tmp/a; grep Seccomp: /proc/self/status"])
            if not privileges:
                del spec["process"]["noNewPrivileges"]
            spec["linux"]["seccomp"] = profile(default, rules)
            said.append(runtime.output(spec))
    return said


# What busybox and the end of youki's init need.
ALLOWED = """access arch_prctl brk clone clone3 close connect dup dup2 execve exit exit_group fcntl
    fstat fstatfs futex getcwd getdents64 getegid geteuid getgid getpid getppid getrandom getuid
    ioctl lseek mkdir mmap mprotect munmap newfstatat open openat poll prctl pread64 prlimit64 read
    readlink readlinkat recvfrom recvmsg rseq rt_sigaction rt_sigprocmask rt_sigreturn sendmsg
    sendto set_robust_list set_tid_address sigaltstack socket stat statfs statx uname vfork wait4
    write writev capget capset accept accept4 getsockname setresuid setresgid epoll_wait capset
    chdir close_range socketpair shutdown madvise mremap sched_getaffinity gettid tgkill""".split()


def seccomp_list(runtime):
    """seccomp profiles that list what is allowed, and kill otherwise"""
    said = []
    for names in ALLOWED, ALLOWED + ["execnsat", "execveat"]:
        spec = config(["sh", "-c", "mkdir /tmp/a && echo made; grep Seccomp: /proc/self/status"])
        spec["linux"]["seccomp"] = profile("SCMP_ACT_KILL_PROCESS", [(names, "SCMP_ACT_ALLOW")])
        said.append(runtime.run(spec))
    return said


def user_namespace(runtime):
    """by root, with a user namespace of 65536 ids"""
    spec = map_ids(config(["sh", "-c", LOOK]), 100000, 65536)
    spec["process"]["user"]["additionalGids"] = [7]
    return runtime.output(spec)


def user_namespace_life(runtime):
    """create, start, exec, kill with a user namespace"""
    seen = []
    spec = map_ids(config(["sh", "-c", "sleep 1000; true"]), 100000, 65536)
    with runtime.created(spec) as container:
        pid = container.state()[1]
        container.start()
        eventually(lambda: read(f"/proc/{pid}/comm") == "sh")
        seen.append(os.stat(f"/proc/{pid}").st_uid)
        inside = namespaces(pid)
        seen.append([kind for kind, own in namespaces().items() if own != inside[kind]])
        seen.append(container.exec("sh", "-c", "id; cat /proc/self/uid_map /proc/1/comm; "
                                   "grep Cap /proc/self/status"))
        seen.append([kind for kind in inside if container.exec(
            "readlink", f"/proc/self/ns/{kind}").strip() != inside[kind]])
        container.kill()
    return seen


def user_namespace_few(runtime):
    """a user namespace, and no PID namespace"""
    spec = map_ids(config(["sh", "-c", "id -u; cat /proc/self/uid_map; hostname"],
                          ["mount", "uts"]), 100000, 65536)
    # Its /proc is that of the host.
    spec["mounts"][0].update(type="bind", options=["rbind"], source="/proc")
    del spec["linux"]["maskedPaths"], spec["linux"]["readonlyPaths"]
    return runtime.output(spec)


def rootless(runtime):
    """by a user, who maps his own id"""
    spec = map_ids(config(["sh", "-c", LOOK]), USER, 1)
    return runtime.of(USER).output(spec)


def rootless_life(runtime):
    """create, start, kill by a user, who can not exec"""
    seen = []
    spec = map_ids(config(["sleep", "1000"]), USER, 1)
    with runtime.of(USER).created(spec) as container:
        container.start()
        seen.append(container.state()[0])
        # youki 0.7.0 joins the PID namespace without the privileges that it would have had inside.
        failed = runtime.of(USER).call("exec", container.name, "true")
        seen.append((failed[0], "EPERM" in failed[1]))
        container.kill()
    return seen


def joined(runtime):
    """namespaces that are joined by their path"""
    seen = []
    with runtime.created(config(["sleep", "1000"])) as other:
        other.start()
        inside = namespaces(other.state()[1])
        for kinds in ["network", "ipc"], ["network", "ipc", "uts", "pid"]:
            spec = config(["sh", "-c", "for i in net ipc uts pid; do readlink /proc/self/ns/$i; "
                           "done; set -- /proc/[0-9]*; echo $#; hostname"])
            spec["linux"]["cgroupsPath"] = "/youki/joined"
            for kind in kinds:
                namespace(spec, kind)["path"] = "/proc/%d/ns/%s" % (
                    other.state()[1], {"network": "net"}.get(kind, kind))
            lines = runtime.output(spec).split("\n")
            seen.append([line == inside[kind]
                         for line, kind in zip(lines, ["net", "ipc", "uts", "pid"])])
            seen.append(lines[4:])
    return seen


def joined_user(runtime):
    """a user namespace that is joined by its path"""
    with runtime.created(map_ids(config(["sleep", "1000"]), 100000, 65536)) as other:
        other.start()
        spec = config(["sh", "-c", "id -u; cat /proc/self/uid_map; hostname"])
        spec["linux"]["cgroupsPath"] = "/youki/joined"
        spec["linux"]["namespaces"].insert(
            0, {"type": "user", "path": f"/proc/{other.state()[1]}/ns/user"})
        return runtime.output(spec)


def time_namespace(runtime):
    """a time namespace with offsets, of root and with a user namespace"""
    seen = []
    for mapped in False, True:
        spec = config(["sh", "-c", "cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime"],
                      KINDS + ["time"])
        spec["linux"]["timeOffsets"] = {"monotonic": {"secs": 1000}, "boottime": {"secs": 500000}}
        if mapped:
            map_ids(spec, 100000, 65536)
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        *offsets, uptime = runtime.output(spec).strip().split("\n")
        seen.append((offsets, 0 <= int(uptime) - int(before) - 500000 <= 60))
    return seen


def preserved(runtime):
    """descriptors that are preserved"""
    seen = []
    for mapped in False, True:
        descriptors = [os.memfd_create(name, 0) for name in ("three", "four", "five", "six")]
        spec = config(["sh", "-c", "for i in $(seq 3 40); do readlink /proc/1/fd/$i; done; true"])
        if mapped:
            map_ids(spec, 100000, 65536)
        script = "".join(f"exec {i + 3}<&{fd}; " for i, fd in enumerate(descriptors[:2]))
        seen.append(runtime.output(
            spec, "--preserve-fds", "2", pass_fds=descriptors,
            before=["bash", "-c", script + 'exec "$0" "$@"']))
        for fd in descriptors:
            os.close(fd)
    return seen


def leaked(runtime):
    """five descriptors that the launcher has forgotten, of run and of exec"""
    seen = []
    look = ["sh", "-c", "for i in $(seq 0 60); do test -L /proc/$$/fd/$i && echo $i; done; true"]
    for mapped in False, True:
        descriptors = [os.memfd_create(f"leaked-{i}", 0) for i in range(5)]
        spec = config(look)
        if mapped:
            map_ids(spec, 100000, 65536)
        seen.append(runtime.output(spec, pass_fds=descriptors).split())
        spec["process"]["args"] = ["sleep", "1000"]
        with runtime.created(spec, pass_fds=descriptors) as container:
            container.start()
            status, said = runtime.call("exec", container.name, *look, pass_fds=descriptors)
            seen.append((status, said.split()))
        for fd in descriptors:
            os.close(fd)
    return seen


def debian(runtime):
    """a root of Debian, of root and with a user namespace"""
    source = os.environ.get("DEBIAN_ROOT")
    if not source:
        raise Skip("only root can make a root of Debian: type sudo -E make test-youki")
    path = f"{WORK}/debian"
    if not os.path.exists(path):
        # Users can not enter the folder where it is.
        os.makedirs(path)
        subprocess.run(["mount", "--bind", source, path], check=True)
    seen = []
    for mapped in False, True:
        spec = config(["/bin/bash", "-c", """
            cat /etc/debian_version; . /etc/os-release; echo "$ID" "$BASH_VERSION"
            dpkg-query --show --showformat '${Package} ${Status}\n' | sort
            perl -e 'print "perl $> $)\n"'; getent passwd root; systemctl --version
            find / -xdev -perm -4000 -printf '%p %U\n' | sort; df --output=fstype / | tail -1"""])
        spec["root"]["path"] = path
        spec["process"]["env"] = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        if mapped:
            map_ids(spec, 100000, 65536)
        said = runtime.output(spec)
        assert "bash install ok installed" in said, said
        seen.append(said)
    return seen


TESTS = [root, user_in_container, exit_status, payload_paths, life, terminal, hooks, limits, seccomp,
         seccomp_list, user_namespace, user_namespace_life, user_namespace_few, rootless,
         rootless_life, joined, joined_user, time_namespace, preserved, leaked, debian]

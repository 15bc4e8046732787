# SPDX-License-Identifier: GPL-2.0
"""bench.py count|time UNPATCHED PATCHED: what runtimes take to run a container of true, until it is
reaped, as lines of JSON.

To count, scripts/vm -c lets one nanosecond of the guest be one instruction.
"""

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

import bundle
from bundle import config, mapped, strace, traced

ROUNDS = {"count": 5, "time": 15}
LEAKED = range(100, 105)
BINARIES = f"{bundle.WORK}/bin"


class Runtime(bundle.Runtime):
    def __init__(self, label, binary, execns, env=()):
        super().__init__(re.sub(r"\W", "", label), binary, execns, env)
        self.label = label

    def launch(self, spec):
        """What runs a container of it."""
        path = self.bundle(spec)
        os.makedirs(self.root(), exist_ok=True)
        return self.command("run", "--bundle", path, os.path.basename(path))


class Bubblewrap:
    def __init__(self, binary):
        self.label, self.binary, self.env = "bwrap", binary, {}

    def launch(self, spec):
        has_user = any(namespace["type"] == "user" for namespace in spec["linux"]["namespaces"])
        user = ["--unshare-user", "--uid", "0", "--gid", "0"] if has_user else []
        return [self.binary, *user, "--unshare-pid", "--unshare-net", "--unshare-ipc",
                "--unshare-uts", "--unshare-cgroup", "--hostname", "inside",
                "--ro-bind", bundle.ROOTFS, "/", "--proc", "/proc", "--dev", "/dev",
                "--tmpfs", "/tmp", "--cap-drop", "ALL", *spec["process"]["args"]]


class Spawn:
    """No container, for comparison."""
    label, env = "posix_spawn", {}

    def launch(self, spec):
        name = os.path.basename(spec["process"]["args"][0])
        return [f"{bundle.ROOTFS}/bin/{name}", *spec["process"]["args"][1:]]


def load_from_memory(*programs):
    """Copy programs and what they load to where no host has to be waited for, and return them."""
    libraries = f"{bundle.WORK}/lib"
    etc = f"{bundle.WORK}/etc"
    for path in (BINARIES, libraries, etc):
        os.makedirs(path)
    folders = set()
    # The tools of this program as well.
    for program in [*programs, shutil.which("strace"), sys.executable]:
        loaded = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        for word in loaded.split():
            if word.startswith("/"):
                path = os.path.realpath(word)
                shutil.copy(path, f"{libraries}/{os.path.basename(word)}")
                folders.add(os.path.dirname(path))
    for name in ("ld.so.cache", "passwd", "group", "nsswitch.conf"):
        if os.path.exists(f"/etc/{name}"):
            shutil.copy(f"/etc/{name}", etc)
    copies = [shutil.copy(program, BINARIES) for program in programs]
    subprocess.run(["mount", "--bind", etc, "/etc"], check=True)
    # Last, and once: it has only what is needed.
    system = next(path for path in folders if os.path.exists(f"{path}/libc.so.6"))
    subprocess.run(["mount", "--bind", libraries, system], check=True)
    return copies


def spawn(runtime, command, actions=()):
    env = {"PATH": f"{BINARIES}:{os.environ['PATH']}", **runtime.env}
    # youki blocks SIGCHLD too late to hear of a payload that is quick.
    pid = os.posix_spawn(command[0], command, env, setsigmask=[signal.SIGCHLD],
                         file_actions=actions)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == 0, f"{command[0]}: exit status {status}"


def spawn_ns(runtime, command):
    start = time.monotonic_ns()
    spawn(runtime, command)
    took = time.monotonic_ns() - start
    # Namespaces are taken down by workers.
    time.sleep(0.2)
    return took


def count(runtime, spec):
    command = runtime.launch(spec)
    spawn(runtime, command)
    instructions = min(spawn_ns(runtime, command) for _ in range(ROUNDS["count"]))
    spawn(runtime, [*strace(), *command])
    pids, calls = traced()
    return {"processes": len(pids), "calls": len(calls), "instructions": instructions,
            "leaked": leaked(runtime, spec)}


def leaked(runtime, spec):
    """How many of five descriptors without close-on-exec the payload has."""
    command = runtime.launch({**spec, "process": {
        **spec["process"], "args": ["/bin/ls", "/proc/self/fd"]}})
    with open(f"{bundle.WORK}/listed", "w+") as file:
        spawn(runtime, command, [(os.POSIX_SPAWN_DUP2, file.fileno(), 1),
                                 *((os.POSIX_SPAWN_DUP2, 2, fd) for fd in LEAKED)])
        file.seek(0)
        return len({int(fd) for fd in file.read().split()} & set(LEAKED))


def count_all(runtimes, spec):
    for runtime in runtimes:
        try:
            yield runtime, count(runtime, spec)
        except (AssertionError, OSError) as error:
            yield runtime, {"failed": str(error)}


def time_all(runtimes, spec):
    """One after the other, again and again: what else the machine does hits all of them."""
    commands = {}
    for runtime in runtimes:
        command = runtime.launch(spec)
        try:
            spawn(runtime, command)
            commands[runtime] = command
        except (AssertionError, OSError) as error:
            print(runtime.label, error, file=sys.stderr)
    rounds = [[spawn_ns(runtime, command) for runtime, command in commands.items()]
              for _ in range(ROUNDS["time"])]
    for runtime, took in zip(commands, zip(*rounds)):
        yield runtime, {"ns": statistics.median(took)}


def main(what, *binaries):
    os.makedirs(bundle.WORK)
    # youki goes back to its folder now and then.
    os.chdir(bundle.WORK)
    list(bundle.prepare())
    others = [shutil.which(name) or f"/usr/sbin/{name}" for name in ("crun", "runc", "bwrap")]
    unpatched, patched, crun, runc, bwrap = load_from_memory(*binaries, *others)
    runtimes = [Runtime("youki 0.7.0", unpatched, False),
                Runtime("youki, patched", patched, False, {"YOUKI_EXECNS": "0"}),
                Runtime("youki, execns", patched, True),
                Runtime("crun", crun, False), Runtime("runc", runc, False),
                Bubblewrap(bwrap), Spawn()]
    measure = {"count": count_all, "time": time_all}[what]
    args = ["/bin/true"]
    for namespaces, spec in ("all but USER", config(args)), ("all", mapped(args)):
        for runtime, row in measure(runtimes, spec):
            print(json.dumps({"namespaces": namespaces, "name": runtime.label, **row}), flush=True)


main(*sys.argv[1:])

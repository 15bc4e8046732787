# SPDX-License-Identifier: GPL-2.0
"""OCI bundles of busybox, and the runtimes that start them."""

import contextlib
import copy
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

WORK = "/tmp/youki"
ROOTFS = f"{WORK}/rootfs"
KINDS = ["pid", "network", "ipc", "uts", "mount", "cgroup"]
CAPS = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
# Under emulation, and with others on the machine.
PATIENCE = 240
NUMBERS = itertools.count()


class Skip(Exception):
    """Why a test can not run."""


def prepare(*binaries):
    """The root of containers, and binaries where any user may execute them."""
    os.umask(0o22)
    os.makedirs(WORK, exist_ok=True)
    os.chmod(WORK, 0o777)
    make_rootfs()
    for binary in binaries:
        yield shutil.copy(binary, WORK)


def make_rootfs(path=ROOTFS):
    for directory in ["bin", "proc", "dev", "sys", "tmp", "etc", "root"]:
        os.makedirs(f"{path}/{directory}", exist_ok=True)
    os.chmod(f"{path}/tmp", 0o1777)
    shutil.copy(shutil.which("busybox"), f"{path}/bin/busybox")
    applets = subprocess.check_output([f"{path}/bin/busybox", "--list"], text=True)
    for applet in applets.split():
        with contextlib.suppress(FileExistsError):
            os.symlink("busybox", f"{path}/bin/{applet}")
    # What execvp(3) leaves to the shell.
    with open(f"{path}/bin/no-interpreter", "w") as script:
        script.write('echo "by the shell: $0 $1"\n')
    with open(f"{path}/bin/magic-interpreter", "w") as script:
        script.write("#!/proc/self/exe\n")
    for name in ["no-interpreter", "magic-interpreter"]:
        os.chmod(f"{path}/bin/{name}", 0o755)


def config(args, kinds=KINDS):
    """What `youki spec` writes, but for what this guest has no use for."""
    return {
        "ociVersion": "1.0.2",
        "hostname": "inside",
        "root": {"path": ROOTFS, "readonly": True},
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": args,
            "env": ["PATH=/bin", "TERM=linux", "GREETING=hello"],
            "cwd": "/",
            "noNewPrivileges": True,
            "capabilities": {set: list(CAPS) for set in ["bounding", "effective", "permitted"]},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]},
        ],
        "linux": {
            "cgroupsPath": "/youki/test",
            "namespaces": [{"type": kind} for kind in kinds],
            "maskedPaths": ["/proc/kcore", "/proc/keys"],
            "readonlyPaths": ["/proc/sys"],
        },
    }


def map_ids(spec, outside, count):
    """Give the container a user namespace."""
    spec["linux"]["namespaces"].insert(0, {"type": "user"})
    for ids in ["uidMappings", "gidMappings"]:
        spec["linux"][ids] = [{"containerID": 0, "hostID": outside, "size": count}]
    return spec


def mapped(args):
    """The same with a user namespace, for root to start."""
    return map_ids(config(args), 100000, 65536)


def namespace(spec, kind):
    return next(ns for ns in spec["linux"]["namespaces"] if ns["type"] == kind)


def strace(uid=0):
    """What a user is to run something by, for `traced`."""
    return [shutil.which("strace"), "-f", "-qq", "-o", f"{WORK}/strace-{uid}"]


def traced(uid=0):
    """Processes, and the names of their system calls, that strace has written down."""
    with open(f"{WORK}/strace-{uid}", errors="replace") as log:
        calls = [re.match(r"(\d+) +(\w+)\(", line) for line in log]
    calls = [match.groups() for match in calls if match]
    return {pid for pid, _ in calls}, [name for _, name in calls]


class Runtime:
    """A youki, to be used as the user `uid`."""

    def __init__(self, name, binary, execns, env=()):
        self.name, self.binary, self.execns, self.env = name, binary, execns, dict(env)
        self.uid = 0

    def of(self, uid):
        other = copy.copy(self)
        other.uid = uid
        return other

    def root(self):
        return f"{WORK}/state-{self.name}-{self.uid}"

    def command(self, *args):
        return [self.binary, "--root", self.root(), *args]

    def popen(self, *args, before=(), **kwargs):
        env = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": self.root(), **self.env}
        if self.uid:
            kwargs.update(user=self.uid, group=self.uid, extra_groups=[])
        os.makedirs(self.root(), exist_ok=True)
        os.chown(self.root(), self.uid, self.uid)
        # It goes back to its folder now and then.
        kwargs.update(cwd=WORK)
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        # `youki run` blocks SIGCHLD only after the payload was started, and waits for ever if that
        # ends before.
        kwargs["preexec_fn"] = lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        return subprocess.Popen([*before, *self.command(*args)], env=env, **kwargs)

    def call(self, *args, **kwargs):
        """The status, and what is said on both outputs. A container that lives on has them, too."""
        with open(f"{WORK}/output", "w+") as output:
            process = self.popen(*args, stdout=output, stderr=output, **kwargs)
            try:
                status = process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                status = "it hangs"
            output.seek(0)
            return status, output.read()

    def bundle(self, spec):
        path = f"{WORK}/bundle-{self.name}-{self.uid}-{next(NUMBERS)}"
        os.makedirs(path)
        os.chown(path, self.uid, self.uid)
        with open(f"{path}/config.json", "w") as file:
            json.dump(spec, file)
        return path

    def run(self, spec, *options, before=(), **kwargs):
        """Run a container until it ends."""
        path = self.bundle(spec)
        name = os.path.basename(path)
        result = self.call("run", *options, "--bundle", path, name, before=before, **kwargs)
        if result[0]:
            self.call("delete", "--force", name)
        return result

    def output(self, spec, *options, **kwargs):
        """What a container says that has to end well."""
        status, said = self.run(spec, *options, **kwargs)
        assert status == 0, f"exit status {status}: {said}"
        return said

    @contextlib.contextmanager
    def created(self, spec, *options, **kwargs):
        """A container between create and delete."""
        path = self.bundle(spec)
        name = os.path.basename(path)
        status, said = self.call("create", *options, "--bundle", path, name, **kwargs)
        assert status == 0, f"create: exit status {status}: {said}"
        try:
            yield Container(self, name, path)
        finally:
            self.call("delete", "--force", name)


class Container:
    def __init__(self, runtime, name, bundle):
        self.runtime, self.name, self.bundle = runtime, name, bundle

    def do(self, command, *args):
        status, said = self.runtime.call(command, *args)
        assert status == 0, f"{command}: exit status {status}: {said}"
        return said

    def exec(self, *words, options=()):
        return self.do("exec", *options, self.name, *words)

    def state(self):
        state = json.loads(self.do("state", self.name))
        return state["status"], state.get("pid")

    def start(self):
        self.do("start", self.name)

    def kill(self):
        status, said = self.runtime.call("kill", self.name, "KILL")
        assert status == 0, said
        eventually(lambda: self.state()[0] == "stopped")


def eventually(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.1)


@contextlib.contextmanager
def console():
    """A socket for a terminal, and what gives the terminal that was sent there."""
    path = f"{WORK}/console.sock"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o777)
        listener.listen()
        listener.settimeout(PATIENCE)

        def terminal():
            with listener.accept()[0] as connection:
                return socket.recv_fds(connection, 4096, 1)[1][0]

        yield path, terminal


def read_all(terminal):
    said = b""
    with contextlib.suppress(OSError):
        while data := os.read(terminal, 4096):
            said += data
    os.close(terminal)
    return said.decode()


def read(path):
    with open(path) as file:
        return file.read().strip()

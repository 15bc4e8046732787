# SPDX-License-Identifier: GPL-2.0
"""What is different if execns(2) starts a container."""

import ctypes
import errno
import os

from bundle import config, eventually, map_ids, mapped, read, strace, traced
from same import USER, leaked


def only_stdio(old, off, new):
    """nothing but stdio, whatever the launcher has forgotten"""
    seen = leaked(new)
    stdio = ["0", "1", "2"]
    assert seen == [stdio, (0, stdio)] * 2, seen


def magic(old, off, new):
    """no payload by a magic link, of which runc's CVE-2019-5736 was made"""
    for spec in config, mapped:
        for args in ["/proc/self/exe"], ["magic-interpreter"]:
            status, said = new.run(spec(args))
            assert status and "ELOOP" in said, (status, said)
            # The kernel looks into the file, and finds no loader for it.
            status, said = old.run(spec(args))
            assert status and "ELOOP" not in said, (status, said)


# Of all architectures but alpha.
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
AT_EMPTY_PATH, MOVE_MOUNT_F_EMPTY_PATH, OPEN_TREE_CLONE, MOUNT_ATTR_RDONLY = 0x1000, 4, 1, 1


def errno_of(number, *args):
    libc = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    return ctypes.get_errno() if libc.syscall(ctypes.c_long(number), *words) < 0 else 0


def protected(old, off, new):
    """not even the host's root can write to the file of youki that waits in a container"""
    clear = (ctypes.c_uint64 * 4)(0, MOUNT_ATTR_RDONLY, 0, 0)
    for runtime in off, new:
        for spec in config, mapped:
            with runtime.created(spec(["sleep", "1000"])) as container:
                pid = container.state()[1]
                exe = os.open(f"/proc/{pid}/exe", os.O_RDONLY)
                container.start()
                # While it is executed, it can not be written to in any case.
                eventually(lambda: read(f"/proc/{pid}/comm") == "sleep")
            seen = [errno_of(*call) for call in (
                (MOUNT_SETATTR, exe, b"", AT_EMPTY_PATH, ctypes.byref(clear), 32),
                (OPEN_TREE, exe, b"", AT_EMPTY_PATH | OPEN_TREE_CLONE),
                (MOVE_MOUNT, exe, b"", -1, b"/tmp", MOVE_MOUNT_F_EMPTY_PATH))]
            assert seen == [errno.EINVAL] * 3, seen
            try:
                os.close(os.open(f"/proc/self/fd/{exe}", os.O_RDWR))
                assert False, f"{runtime.name} can be written to"
            except OSError as error:
                assert error.errno == errno.EROFS, error
            os.close(exe)
    # Who may not make mounts has a copy.
    with new.of(USER).created(map_ids(config(["true"]), USER, 1)) as container:
        exe = os.readlink(f"/proc/{container.state()[1]}/exe")
        assert exe.startswith("/memfd:"), exe


def accounts(old, off, new):
    """one of two containers of a uid takes all pages of pipes"""
    with open("/proc/sys/fs/pipe-user-pages-soft", "w") as soft:
        soft.write("0")
    with open("/proc/sys/fs/pipe-user-pages-hard", "w") as hard:
        hard.write("64")
    take = mapped(["sh", "-c", "(while true; do sleep 1000 | sleep 1000 & done) 2>/tmp/full; "
                   "sleep 1000"])
    use = mapped(["sh", "-c", "echo piped | cat"])
    use["linux"]["cgroupsPath"] = "/youki/other"
    seen = {}
    for runtime in old, off, new:
        with runtime.created(take) as container:
            container.start()
            pid = container.state()[1]
            eventually(lambda: os.path.exists(f"/proc/{pid}/root/tmp/full") and
                       "pipe" in read(f"/proc/{pid}/root/tmp/full"))
            status, said = runtime.run(use)
            seen[runtime.name] = said.strip() if status == 0 else "can't create pipe" in said
    with open("/proc/sys/fs/pipe-user-pages-hard", "w") as hard:
        hard.write("0")
    assert seen == {"unpatched": True, "off": True, "execns": "piped"}, seen


CASES = {
    "root": (0, lambda: config(["true"])),
    "a user namespace, by root": (0, lambda: mapped(["true"])),
    "a user namespace, by its user": (USER, lambda: map_ids(config(["true"]), USER, 1)),
}


def row(what, runtime):
    """A line of a table of what has been traced: the processes, and how often execnsat was called."""
    pids, calls = traced(runtime.uid)
    # By a strace that does not know its name, too.
    used = sum(name in ("execnsat", "syscall_0x1da") for name in calls)
    print(f"# | {what} | {runtime.name} | {len(pids)} | {len(calls)} | {used} |")
    return len(pids), used


def counted(old, off, new):
    """processes and system calls"""
    print("# | a container of true | runtime | processes | system calls | execnsat |")
    print("# |---|---|--:|--:|--:|")
    for what, (uid, spec) in CASES.items():
        processes = {}
        for runtime in old, off, new:
            runtime.of(uid).output(spec(), before=strace(uid))
            processes[runtime.name], used = row(what, runtime.of(uid))
            # The probe is one.
            expected = 0 if not runtime.execns else 2 if what == "root" else 4
            assert used == expected, f"{what}: {runtime.name} called execnsat {used} times"
        if what == "root":
            assert processes["execns"] == processes["unpatched"] - 1, processes
        assert processes["off"] == processes["unpatched"], processes


def exec_counted(old, off, new):
    """processes and system calls of youki exec"""
    print("# | youki exec of true | runtime | processes | system calls | execnsat |")
    print("# |---|---|--:|--:|--:|")
    for what, spec in ("root", config), ("a user namespace, by root", mapped):
        for runtime in old, off, new:
            with runtime.created(spec(["sleep", "1000"])) as container:
                container.start()
                status, said = runtime.call("exec", container.name, "true", before=strace())
                assert status == 0, said
                processes, _ = row(what, runtime)
                assert processes == (2 if runtime.execns else 3), processes


TESTS = [only_stdio, magic, protected, accounts, counted, exec_counted]

# SPDX-License-Identifier: GPL-2.0
"""bench.py UNPATCHED PATCHED: what runtimes take to run a container of true, until it is reaped.

scripts/vm -c lets one nanosecond of the guest be one instruction.
"""

import os
import shutil
import subprocess
import sys
import time

import bundle
from bundle import config, map_ids, strace, traced

ROUNDS = 5


class Other(bundle.Runtime):
    """A runtime with the options of runc."""

    def __init__(self, name):
        super().__init__(name, shutil.which(name) or f"/usr/sbin/{name}", execns=False)


def bwrap(mapped):
    return ["bwrap", *(["--unshare-user", "--uid", "0", "--gid", "0"] if mapped else []),
            "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup",
            "--hostname", "inside", "--ro-bind", bundle.ROOTFS, "/", "--proc", "/proc",
            "--dev", "/dev", "--tmpfs", "/tmp", "--cap-drop", "ALL", "/bin/true"]


def launches(unpatched, patched, mapped):
    """Names, and what runs a container once, with a tracer or without."""
    runtimes = [bundle.Runtime("unpatched", unpatched, False),
                bundle.Runtime("off", patched, False, {"YOUKI_EXECNS": "0"}),
                bundle.Runtime("execns", patched, True), Other("crun"), Other("runc")]
    names = {"unpatched": "youki 0.7.0", "off": "patched, YOUKI_EXECNS=0", "execns": "patched"}

    def one(runtime):
        spec = config(["true"])
        if mapped:
            map_ids(spec, 100000, 65536)
        path = runtime.bundle(spec)

        def run(before=()):
            process = runtime.popen("run", "--bundle", path, os.path.basename(path), before=before)
            assert process.wait() == 0, runtime.name
        return run

    def wrap(before=()):
        assert subprocess.run([*before, *bwrap(mapped)]).returncode == 0
    return [(names.get(r.name, r.name), one(r)) for r in runtimes] + [("bwrap", wrap)]


def main(unpatched, patched):
    unpatched, patched = bundle.prepare(unpatched, patched)
    for what, mapped in ("all but USER", False), ("all", True):
        print(f"| {what} | processes | system calls | instructions |\n|---|--:|--:|--:|", flush=True)
        for name, run in launches(unpatched, patched, mapped):
            try:
                run()
                least = None
                for _ in range(ROUNDS):
                    start = time.monotonic_ns()
                    run()
                    took = time.monotonic_ns() - start
                    least = min(least or took, took)
                    # Namespaces are taken down by workers.
                    time.sleep(0.2)
                run(before=strace())
                pids, calls = traced()
                print(f"| {name} | {len(pids)} | {len(calls)} | {least:,} |", flush=True)
            except (AssertionError, OSError) as error:
                print(f"| {name} | failed: {error!r} | | |", flush=True)


main(*sys.argv[1:3])

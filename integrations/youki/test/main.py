# SPDX-License-Identifier: GPL-2.0
"""main.py UNPATCHED PATCHED [NAME]...: what containers see, whatever starts them, as KTAP."""

import os
import sys
import traceback

import bundle
import execns
import same


def check(name, what, function):
    """Whether it raises nothing."""
    global number
    number += 1
    skip, ok = None, True
    try:
        function()
    except bundle.Skip as reason:
        skip = reason
    except Exception as error:
        ok = False
        for line in (str(error) or traceback.format_exc()).split("\n"):
            print("#", line)
        if not isinstance(error, AssertionError):
            print("#", traceback.format_exc().replace("\n", "\n# "))
    print("ok" if ok else "not ok", number, f"{name}: {what}" + (f" # SKIP {skip}" if skip else ""),
          flush=True)


def differ(expected, seen):
    """Two things that are as many lines as they have."""
    import difflib
    import pprint
    lines = [pprint.pformat(thing, width=110).split("\n") for thing in (expected, seen)]
    return "\n".join(difflib.unified_diff(*lines, "expected", "seen", lineterm="", n=0))


def main(unpatched, patched, names):
    unpatched, patched = bundle.prepare(unpatched, patched)
    old = bundle.Runtime("unpatched", unpatched, execns=False)
    off = bundle.Runtime("off", patched, execns=False, env={"YOUKI_EXECNS": "0"})
    new = bundle.Runtime("execns", patched, execns=True)
    tests = [test for test in same.TESTS if not names or test.__name__ in names]
    more = [test for test in execns.TESTS if not names or test.__name__ in names]
    print("KTAP version 1")
    print(f"1..{3 * len(tests) + len(more)}")
    for test in tests:
        expected = []

        def first():
            expected.append(test(old))
            if os.environ.get("VERBOSE"):
                print("#", str(expected[0]).replace("\n", "\n# "))

        def again(runtime):
            seen = test(runtime)
            assert expected, "the unpatched one has failed"
            assert seen == expected[0], differ(expected[0], seen)

        check("unpatched", test.__doc__, first)
        check("execns off", test.__doc__, lambda: again(off))
        check("execns", test.__doc__, lambda: again(new))
    for test in more:
        check("execns", test.__doc__, lambda: test(old, off, new))


number = 0
main(sys.argv[1], sys.argv[2], sys.argv[3:])

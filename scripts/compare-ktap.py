# SPDX-License-Identifier: GPL-2.0
"""compare-ktap.py PARSER [--programs] FILE... -- FILE...: compare what run_kselftest.sh has said on
two kernels, once or more often on each. PARSER is the folder of kunit_parser.py. With --programs,
print only the programs that are to run again."""

import collections
import math
import os
import sys

sys.path.insert(0, sys.argv[1])
import kunit_parser as ktap  # noqa: E402 (after its path)
from kunit_printer import null_printer  # noqa: E402

WORDS = {ktap.TestStatus.SUCCESS: "passed", ktap.TestStatus.SKIPPED: "skipped"}
MISSING, VARIES = "missing", "varies"
CHANCE = 0.01


def tests_of(program):
    """The tests of a program by name, as (outcome, reason). One without a name is the program: it
    may have none, and may fail though none of them does."""
    # The runner comments what they say out.
    inner = ktap.parse_run_tests((line[2:] if line.startswith("# ") else line.lstrip("#")
                                  for line in program.log), null_printer)
    tests, times = {}, collections.Counter()
    for test in [program] + inner.subtests:
        # ksft_test_result_skip() gives the name as the reason. What died half-way has none.
        name = "" if test is program else test.name.strip() or test.skip_reason
        if not name and test is not program:
            continue
        times[name] += 1
        if times[name] > 1:
            name += f" ({times[name]})"
        tests[name] = (WORDS.get(test.status, "failed"), test.skip_reason)
    return tests


def read(path):
    """The tests of a run: (suite, program, name) to (outcome, reason)."""
    with open(path, errors="replace") as lines:
        run = ktap.parse_run_tests(lines, null_printer)
    tests = {}
    for program in run.subtests:
        if program.name.count(": ") < 2:
            continue
        _, suite, name = program.name.strip().split(": ", 2)
        for test, outcome in tests_of(program).items():
            tests[suite, name, test] = outcome
    return tests


def vote(runs, test):
    """What most of the runs of a test's program say of it, and what each says."""
    said = [run.get(test, (MISSING,))[0] for run in runs
            if any(other[:2] == test[:2] for other in run)] or [MISSING]
    word, times = collections.Counter(said).most_common(1)[0]
    return (word if times * 2 > len(said) else VARIES), said


def worse_than(old, new):
    """Whether those of new pass less often than those of old, by more than chance: Fisher's exact
    test, one-sided. What is never there needs none."""
    if set(new) == {MISSING}:
        return "passed" in old
    passed, more, runs = old.count("passed"), new.count("passed"), len(old) + len(new)
    return sum(math.comb(len(new), n) * math.comb(len(old), passed + more - n)
               for n in range(more + 1)) < CHANCE * math.comb(runs, passed + more)


def title(test):
    return f"{test[0]}: {test[1]}" + (f": {test[2]}" if test[2] else "")


def summary(said):
    return ", ".join(f"{word} {n} of {len(said)}" for word, n in collections.Counter(said).most_common())


def main(only_programs, names, files):
    runs = [[read(path) for path in paths] for paths in files]
    every = sorted({test for kernel in runs for run in kernel for test in run})
    votes = {test: [vote(kernel, test) for kernel in runs] for test in every}
    differ = [test for test in every if votes[test][0][0] != votes[test][1][0]]
    if only_programs:
        print("".join(f"{suite}:{name}\n" for suite, name in sorted({test[:2] for test in differ})), end="")
        return 0

    # A program is no test besides those that it has.
    having = {test[:2] for test in every if test[2]}
    counted = [test for test in every if test[2] or test[:2] not in having]
    columns = ["passed", "failed", "skipped"]
    print("| suite | " + " | ".join(f"{name}: {column}" for name in names for column in columns) + " |")
    print("|---|" + "--:|" * 6)
    for suite in sorted({test[0] for test in every}) + ["all"]:
        counts = collections.Counter((kernel, votes[test][kernel][0]) for test in counted
                                     for kernel in (0, 1) if suite in (test[0], "all"))
        print(f"| {suite} | " + " | ".join(str(counts[kernel, column]) for kernel in (0, 1)
                                           for column in columns) + " |")
    for reason, tests in skipped(runs[1], counted).items():
        print(f"  skipped: {title(tests[0])}" + (f", and {len(tests) - 1} more" if tests[1:] else "") +
              f": {reason or 'it says not why'}")
    said = {test: [all_said for _, all_said in votes[test]] for test in every}
    worse = {test for test in every if worse_than(*said[test])}
    # Of a program that fails since its tests do, they tell.
    worse -= {test for test in worse if not test[2] and any(test[:2] == other[:2] and other[2] for other in worse)}
    for test in every:
        old, new = said[test]
        if test in worse:
            label = "not ok"
        elif test not in counted:
            continue
        elif len(set(old + new)) == 1:
            if new[0] != "failed":
                continue
            label = "fails on both"
        elif worse_than(new, old):
            label = "fixed"
        else:
            label = "flaky" if "passed" in old + new else "differs"
        print(f"{label}: {title(test)}: {names[0]} {summary(old)}; {names[1]} {summary(new)}")
    if not counts[0, "passed"] or not counts[1, "passed"]:
        print("execns: no test has passed, see " + " ".join(paths[0] for paths in files), file=sys.stderr)
        return 1
    print(f"{counts[1, 'passed']} passed, {len(worse)} pass less often than on {names[0]}, "
          f"{counts[1, 'skipped']} skipped")
    return 1 if worse else 0


def skipped(kernel, every):
    """The tests that are skipped, by reason."""
    reasons = collections.defaultdict(list)
    for test in every:
        outcome = kernel[0].get(test)
        if outcome and outcome[0] == "skipped":
            reasons[outcome[1]].append(test)
    return reasons


if __name__ == "__main__":
    arguments = sys.argv[2:]
    programs = arguments[0] == "--programs"
    arguments = arguments[programs:]
    middle = arguments.index("--")
    both = arguments[:middle], arguments[middle + 1:]
    sys.exit(main(programs, [os.path.basename(paths[0]).split(".")[-3] for paths in both], both))

# SPDX-License-Identifier: GPL-2.0
"""report.py COUNT TIME SVG: tables, and a picture, of what bench.py has counted and timed."""

import json
import sys

import matplotlib

matplotlib.use("svg")
# Text that can be searched, and the same file for the same numbers.
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "execns", "font.size": 9})

import matplotlib.pyplot as plt  # noqa: E402 (after the choice of its backend)

REFERENCE = "crun"
COLUMNS = ["processes", "system calls", "instructions", f"of {REFERENCE}'s",
           f"time, of {REFERENCE}'s", "leaked of 5"]


def rows(path):
    with open(path) as lines:
        return [json.loads(line) for line in lines if line.startswith("{")]


def ratio(value, reference):
    return f"{value / reference:.2f}" if value and reference else ""


def table(title, counted, times):
    reference = next((row["instructions"] for row in counted
                      if row["name"] == REFERENCE and "failed" not in row), None)
    print(f"| {title} | " + " | ".join(COLUMNS) + " |")
    print("|---|" + "--:|" * len(COLUMNS))
    for row in counted:
        name = row["name"]
        if "failed" in row:
            print(f"| {name} | {row['failed']} |" + " |" * (len(COLUMNS) - 1))
            continue
        print(f"| {name} | {row['processes']} | {row['calls']:,} | {row['instructions']:,} | "
              f"{ratio(row['instructions'], reference)} | "
              f"{ratio(times.get(name), times.get(REFERENCE))} | {row['leaked']} |")
    print()


def draw(panels, path):
    figure, axes = plt.subplots(1, len(panels), sharey=True, figsize=(9, 2.8))
    for axis, (title, counted) in zip(axes, panels.items()):
        counted = [row for row in counted if "failed" not in row]
        names = [row["name"] for row in counted]
        millions = [row["instructions"] / 1e6 for row in counted]
        colours = ["tab:green" if name == "youki, execns" else "tab:gray" for name in names]
        bars = axis.barh(names, millions, color=colours)
        axis.bar_label(bars, [f"{count:.1f} M, {row['calls']:,} calls"
                              for count, row in zip(millions, counted)], padding=3, fontsize=8)
        axis.set_title(f"{title}", fontsize=9)
        axis.set_xlabel("instructions of a container of true, in millions")
        axis.margins(x=0.45)
        axis.invert_yaxis()
        axis.spines[["top", "right"]].set_visible(False)
    # It is shared, so that the second has turned it back.
    axes[0].set_ylim(sorted(axes[0].get_ylim(), reverse=True))
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main(count, time, svg):
    counted, timed = rows(count), rows(time)
    panels = {}
    for row in counted:
        panels.setdefault(row["namespaces"], []).append(row)
    for namespaces, those in panels.items():
        times = {row["name"]: row["ns"] for row in timed if row["namespaces"] == namespaces}
        table(f"namespaces: {namespaces}", those, times)
    draw({f"namespaces: {namespaces}": those for namespaces, those in panels.items()}, svg)


main(*sys.argv[1:])

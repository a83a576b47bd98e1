"""The tables of `scripts/bench/peers`, in Markdown. Standard library only."""

import statistics

import contenders
from rows import BUSY_LIMIT, DISTURBED, MEMORY, SECONDS, SPEED, Job


def median(results, figure):
    """Of the rounds that succeeded; None if none did."""
    values = [result[figure] for result in results if figure in result]
    return statistics.median(values) if values else None


def is_peer(name):
    return name.startswith(("torch", "keras"))


def work_table(work, runs):
    """A line a contender: the median and the range of its rounds, and what it is to the fastest peer."""
    whole = isinstance(work, Job)
    key = SECONDS if whole else SPEED
    lines = [f"### {work.title()}", ""]
    if not runs:
        return "\n".join([*lines, "not measured: Fashion-MNIST's IDX files are not there (`--fashion-mnist DIR`)", ""])
    fastest = best_speed(runs)
    rows = [("contender", "seconds" if whole else "images/s", "lowest", "highest", "of the fastest peer", "test top-1" if whole else "peak MB", "rounds")]
    for name, results in runs.items():
        middle, good = median(results, key), [result[key] for result in results if key in result]
        if middle is None:
            rows.append((name, why_not(results), "", "", "", "", ""))
            continue
        ratio = f"{median(results, SPEED) / fastest[1]:.2f}" if fastest else ""
        last = f"{median(results, 'test_top1'):.1%}" if whole else f"{median(results, MEMORY):,.0f}"
        rows.append((name, *(digits(x) for x in (middle, min(good), max(good))), ratio, last, str(len(good))))
    lines += markdown(rows)
    busy = sum((result[DISTURBED] or 0) > BUSY_LIMIT for results in runs.values() for result in results if "skipped" not in result)
    if busy:
        lines += ["", f"**not valid**: other programs used the cores during {busy} of the measurements"]
    versions = {result["version"] for results in runs.values() for result in results if result.get("version")}
    return "\n".join([*lines, "", "versions: " + "; ".join(sorted(versions)), ""])


def why_not(results):
    """In place of a figure that a contender does not have."""
    reasons = [result.get("skipped") or result.get("error") for result in results]
    return reasons[-1] if reasons else "left out"


def best_speed(runs):
    """Name and speed of the fastest peer; None if no peer was measured."""
    speeds = {name: median(results, SPEED) for name, results in runs.items() if is_peer(name)}
    speeds = {name: speed for name, speed in speeds.items() if speed}
    return max(speeds.items(), key=lambda pair: pair[1]) if speeds else None


def least_memory(runs):
    """Name and peak of the thriftiest peer; None if no peer was measured."""
    peaks = {name: median(results, MEMORY) for name, results in runs.items() if is_peer(name)}
    peaks = {name: peak for name, peak in peaks.items() if peak}
    return min(peaks.items(), key=lambda pair: pair[1]) if peaks else None


def goals(rows, runs, heading, quick):
    """The table of goals: for each row the figure, what it must reach and its aim."""
    table = [("row", "tinderbox", "kernels off", "fastest peer", "its figure", "ratio", "must", "aim", "result")]
    for row in rows:
        table.append((row.name, *cells(row, runs[row.work])))
    lines = ["### Goals", "", heading, ""]
    lines += markdown(table)
    lines += ["", "Speed in images/s, the ratio is to the fastest peer; memory in MB, the ratio is to the peer with the least; the job in seconds, the ratio is of speeds."]
    if quick:
        lines.append("--quick: after the first round, only the peers' settings within 1.3 of the fastest peer ran again; `kernels off` ran once.")
    missed = [cells[0] for cells in table[1:] if "MISSED" in cells[-1]]
    lines += ["", f"missed: {', '.join(missed)}" if missed else "every measured row reaches what it must"]
    return "\n".join([*lines, ""])


def cells(row, runs):
    """The cells of a row after its name."""
    ours, off = (median(runs.get(name, []), row.figure) for name in (contenders.OURS, contenders.OFF))
    peer = least_memory(runs) if row.figure == MEMORY else best_speed(runs)
    name, figure = peer or ("", None)
    if row.figure == SECONDS and figure:
        figure = 1 / figure
    sign = "<= " if row.figure == MEMORY else ">= "
    unit = " MB" if row.in_mb else " x"
    wanted = [f"{sign}{goal:g}{unit}" for goal in (row.must, row.aim)]
    ratio = None
    if ours and figure:
        ratio = figure / ours if row.figure == SECONDS else ours / figure
    value = ours if row.in_mb else ratio
    return (*(digits(x) for x in (ours, off)), name, digits(figure), f"{ratio:.2f}" if ratio else "", *wanted, verdict(row, value))


def verdict(row, value):
    """Whether the goals are reached."""
    if value is None:
        return "not measured"
    reached = [value <= goal if row.figure == MEMORY else value >= goal for goal in (row.must, row.aim)]
    return "aim" if reached[1] else "must" if reached[0] else "**MISSED**"


def digits(value):
    """Three digits or more."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def markdown(rows):
    """Rows of text, the first the heading, as an aligned Markdown table."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "| " + " | ".join("-" * max(3, width) for width in widths) + " |")
    return lines

"""The results of a run, as a table and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from itertools import groupby
from typing import TYPE_CHECKING

from bench import needs
from bench.rows import MB, overall_gain, size_mb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.environment import Environment
    from bench.rows import Plan, Row

_DIGITS = 3
#: Mechanisms by which this machine moves all bytes, and where.
_AS_SHUTIL = {
    "copy_file_range": " within the kernel",
    "sendfile": " within the kernel",
    "read/write": "",
}


def heading(environment: Environment, plan: Plan) -> str:
    """What was measured where, in three lines."""
    return f"{environment}\n{_doing(plan)}\n"


def table(rows: Sequence[Row], peers: Sequence[str]) -> str:
    """The figures: shutil, speedcopy, gain, and the columns of each peer."""
    pair = ("shutil", "speedcopy")
    headers = ["size(MB)", *(f"{name}(s)" for name in pair), *(f"{name}(MB/s)" for name in pair)]
    headers.append("gain")
    for peer in peers:
        headers += [f"{peer}(s)", f"{peer}(MB/s)", f"vs {peer}"]
    return markdown(headers, [_cells(row, peers) for row in rows], ["right"] * len(headers))


def markdown(headers: Sequence[str], rows: Sequence[Sequence[str]], align: Sequence[str]) -> str:
    """A table in Markdown that can also be read as it is."""
    text: str = needs.module("tabulate").tabulate(
        rows, headers, tablefmt="github", disable_numparse=True, colalign=align
    )
    return text


def summary(environment: Environment, rows: Sequence[Row], peers: Sequence[str]) -> str:
    """The overall gain, the mechanisms, and why there is no gain if so."""
    others = "".join(f", {times(overall_gain(rows, peer))} vs {peer}" for peer in peers)
    gain = f"overall gain: {times(overall_gain(rows))}{others}"
    return "\n".join(("", gain, *_mechanisms(rows), *_no_gain(environment, rows)))


def as_json(environment: Environment, plan: Plan, rows: Sequence[Row]) -> str:
    """All of it, with every sample; sizes in bytes, times in seconds."""
    content = {
        "environment": dataclasses.asdict(environment),
        "plan": dataclasses.asdict(plan),
        "rows": [
            {
                "size_mb": row.size / MB,
                "size": row.size,
                "gain": row.gain(),
                "mechanism": row.mechanism,
                "declined": row.declined,
                "tools": {
                    name: {
                        "copies": timing.copies,
                        "seconds": timing.seconds,
                        "mb_per_s": timing.mb_per_s,
                        "samples": timing.samples,
                    }
                    for name, timing in row.timings.items()
                },
            }
            for row in rows
        ],
        "overall_gain": overall_gain(rows),
    }
    return json.dumps(content, indent=2) + "\n"


def times(gain: float) -> str:
    """A gain as text: 3.07x."""
    return f"{gain:.2f}x"


def seconds(value: float) -> str:
    """Three significant digits, never an exponent."""
    decimals = _DIGITS - 1 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{value:.{max(0, decimals)}f}"


def _cells(row: Row, peers: Sequence[str]) -> list[str]:
    both = row.timings["shutil"], row.timings["speedcopy"]
    cells = [size_mb(row.size), *(seconds(timing.seconds) for timing in both)]
    cells += [*(f"{timing.mb_per_s:.0f}" for timing in both), times(row.gain())]
    for peer in peers:
        timing = row.timings[peer]
        cells += [seconds(timing.seconds), f"{timing.mb_per_s:.0f}", times(row.gain(peer))]
    return cells


def _doing(plan: Plan) -> str:
    if not plan.threaded:
        return f"{_count(plan.repeats, 'copy', 'copies')} of each size, single-threaded"
    rounds = f"; the median of {plan.repeats} repeats" if plan.repeats > 1 else ""
    copies = _count(plan.copies_per_worker, "copy", "copies")
    return f"{plan.workers} threads, each {copies} of each size{rounds}"


def _count(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


def _mechanisms(rows: Sequence[Row]) -> list[str]:
    """One line for neighbouring sizes with the same mechanism."""
    groups = [
        (outcome, [size_mb(row.size) for row in same]) for outcome, same in groupby(rows, _outcome)
    ]
    if len(groups) == 1:
        return [f"mechanism: {groups[0][0]}"]
    return [
        f"mechanism, {sizes[0] if len(sizes) == 1 else f'{sizes[0]} to {sizes[-1]}'} MB: {outcome}"
        for outcome, sizes in groups
    ]


def _no_gain(environment: Environment, rows: Sequence[Row]) -> list[str]:
    """Why about 1x is expected, where speedcopy had no faster mechanism than shutil has."""
    used = list(dict.fromkeys(row.mechanism for row in rows))
    if not _AS_SHUTIL.keys() >= {*used} or environment.file_system.copies_ranges:
        return []
    how = ", ".join(f"{name}{_AS_SHUTIL[name]}" for name in used)
    reason = "every byte has to pass through this machine, so about 1x is expected"
    places = "on an SMB or NFS 4.2 share, on btrfs, or on XFS with reflinks"
    return [
        f"no faster mechanism between these files ({how}, as shutil): {reason}",
        f"{places}, the server or the file system copies by itself: expect more there",
    ]


def _outcome(row: Row) -> str:
    if not row.declined:
        return row.mechanism
    declined = ", ".join(f"{name} {why}" for name, why in row.declined.items())
    return f"{row.mechanism} (declined: {declined})"

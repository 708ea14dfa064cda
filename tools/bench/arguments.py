"""Options that several commands have, and how their values are read."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench import copiers
from bench.errors import BenchmarkError
from bench.rows import MB

if TYPE_CHECKING:
    from argparse import ArgumentParser

PEERS = f"peers for --against: {copiers.PEERS}"
_LARGEST = (1 << 63) - 1


def add_path(parser: ArgumentParser) -> None:
    """PATH, which may be left out."""
    help_ = "the directory to measure (default: here, or where temporary files go)"
    parser.add_argument("path", nargs="?", metavar="PATH", help=help_)


def add_against(parser: ArgumentParser) -> None:
    """--against, which may be repeated."""
    help_ = "compare with this one, too; may be repeated"
    parser.add_argument(
        "--against", type=peer, action="append", default=[], metavar="PEER", help=help_
    )


def add_plan(parser: ArgumentParser) -> None:
    """--sizes-mb and --repeats."""
    add, default = parser.add_argument, "1,2,4,8,16,32"
    help_ = f"sizes of the files (default: {default})"
    sizes_ = sizes(default)
    add("--sizes-mb", type=sizes, default=sizes_, metavar="MB,MB,...", dest="sizes", help=help_)
    help_ = "times each size is copied by each tool (default: 3)"
    add("--repeats", type=positive, default=3, metavar="N", help=help_)


def add_plot(parser: ArgumentParser) -> None:
    """--plot."""
    help_ = "draw a picture (needs matplotlib)"
    parser.add_argument("--plot", type=Path, metavar="FILE", help=help_)


def sizes(text: str) -> tuple[int, ...]:
    """Reads ``1,2,0.5``, in MB, as bytes."""
    try:
        result = tuple(round(float(size) * MB) for size in text.split(","))
    except (ValueError, OverflowError):  # not a number, or infinite
        result = (0,)
    if min(result) < 1 or max(result) > _LARGEST:
        message = f"a size must be a number of MB, a byte at least and below 8 EiB: {text}"
        raise argparse.ArgumentTypeError(message)
    return result


def positive(text: str) -> int:
    """Reads a number of at least 1."""
    return _count(text, most=1_000_000)


def threads(text: str) -> int:
    """Reads a number of threads that any machine can start."""
    return _count(text, most=1000)


def _count(text: str, most: int) -> int:
    number = int(text)
    if not 1 <= number <= most:
        message = f"must be 1 at least and {most} at most"
        raise argparse.ArgumentTypeError(message)
    return number


def peer(text: str) -> str:
    """Reads the name of a peer."""
    if not copiers.is_peer(text):
        message = f"must be {copiers.PEERS}, not {text}"
        raise argparse.ArgumentTypeError(message)
    return text


def directory(path: str | None) -> Path:
    """The directory to measure, if it is one; without a name, one that can be written to."""
    if path is None:
        here = Path.cwd()
        return here if os.access(here, os.W_OK) else Path(tempfile.gettempdir())
    result = Path(path)
    try:
        result.stat()
    except FileNotFoundError as error:
        text = f"{path}: no such directory"
        raise BenchmarkError(text) from error
    except OSError as error:
        text = f"{path}: {error.strerror}"
        raise BenchmarkError(text) from error
    if not result.is_dir():
        text = f"{path}: not a directory"
        raise BenchmarkError(text)
    return result

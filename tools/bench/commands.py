"""The subcommands of ``python tools/measure.py``: to add one, add a module and a row."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from common import command

from bench import arguments, figures, ratios, trees

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from types import ModuleType

PROGRAM = "measure.py"
DESCRIPTION = "Measure more than tools/benchmark.py does.\n"


class Command(NamedTuple):
    """A subcommand: its module declares its arguments, and measures what they ask for."""

    name: str
    summary: str
    module: ModuleType


COMMANDS = (
    Command("figures", "the benchmark on several directories, all gains in one table", figures),
    Command("ratios", "speedcopy against a C program of only the necessary calls", ratios),
    Command("trees", "a tree by speedcopy, shutil, cp and a C program, per file", trees),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments ask; the exit code."""
    options = parser().parse_args(argv)
    return command.exit_code(f"{PROGRAM} {options.command}", partial(options.measure, options))


def parser() -> argparse.ArgumentParser:
    """The arguments of all subcommands."""
    result = command.parser(PROGRAM, DESCRIPTION)
    subcommands = result.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for row in COMMANDS:
        added = subcommands.add_parser(
            row.name,
            help=row.summary,
            description=row.module.DESCRIPTION,
            epilog=arguments.PEERS,
            formatter_class=command.AS_WRITTEN,
        )
        row.module.add_arguments(added)
        added.set_defaults(measure=row.module.measure)
    return result

"""The subcommands of ``python tools/measure.py``: to add one, add a module and a row."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Callable, NamedTuple

from common import command

from bench import arguments, figures, ratios

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

PROGRAM = "measure.py"
DESCRIPTION = "Measure more than tools/benchmark.py does.\n"


class Command(NamedTuple):
    """A subcommand: ``add_arguments`` declares what ``measure`` is then called with."""

    name: str
    summary: str
    description: str
    add_arguments: Callable[[command.Parser], None]
    measure: Callable[[argparse.Namespace], None]


COMMANDS = (
    Command(
        "figures",
        "the benchmark on several directories, all gains in one table",
        figures.DESCRIPTION,
        figures.add_arguments,
        figures.measure,
    ),
    Command(
        "ratios",
        "speedcopy against a C program that makes only the necessary calls",
        ratios.DESCRIPTION,
        ratios.add_arguments,
        ratios.measure,
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments ask; the exit code."""
    options = parser().parse_args(argv)
    return command.exit_code(f"{PROGRAM} {options.command}", partial(options.measure, options))


def parser() -> command.Parser:
    """The arguments of all subcommands."""
    result = command.Parser(PROGRAM, DESCRIPTION)
    subcommands = result.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for row in COMMANDS:
        added = subcommands.add_parser(
            row.name, help=row.summary, description=row.description, epilog=arguments.PEERS
        )
        row.add_arguments(added)
        added.set_defaults(measure=row.measure)
    return result

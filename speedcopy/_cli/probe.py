"""``speedcopy probe``: what copies can use, and why not more."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

import speedcopy
from speedcopy._cli.messages import quoted, reason
from speedcopy._cli.parser import Parser
from speedcopy._probe.scratch import PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

#: A terminal narrower than this has no room for columns.
_ROOM_FOR_COLUMNS = 80


def main(arguments: Sequence[str]) -> int:
    """Prints the report; the exit code is 1 if there is none."""
    parser = Parser(
        prog="speedcopy probe",
        usage="%(prog)s DIR [DIR] [--json]",
        description="Say what copies within a directory, or from the first to the second, can use, "
        "and why not more. Small files are made there and removed.",
    )
    parser.add_argument("operands", nargs="*", metavar="DIR", help="where copies are made")
    parser.add_argument("--json", action="store_true", help="print one object")
    options = parser.parse(arguments)
    if not options.operands:
        parser.error("missing directory operand")
    src, *others = options.operands
    if len(others) > 1:
        parser.error(f"extra operand {quoted(others[1])}")
    try:
        found = speedcopy.probe(src, *others)
    except OSError as error:
        name = error.filename if isinstance(error.filename, str) else src
        if os.path.basename(name).startswith(PREFIX):
            name = os.path.dirname(name)
        sys.stderr.write(f"{parser.prog}: cannot use {quoted(name)}: {reason(error)}\n")
        return 1
    if options.json:
        sys.stdout.write(f"{json.dumps(found.as_dict(), indent=2)}\n")
        return 0
    for line in found.lines():
        sys.stdout.write(f"{_fitted(line)}\n")
    return 0


def _fitted(line: str) -> str:
    """Broken where the terminal ends."""
    if not sys.stdout.isatty():
        return line
    width = shutil.get_terminal_size().columns
    if width < _ROOM_FOR_COLUMNS:
        line = re.sub(r": +", ": ", line)
    return "\n".join(
        textwrap.wrap(line, width - 1, subsequent_indent="    ", break_on_hyphens=False)
    )

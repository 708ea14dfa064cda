"""The floor under a copy: C programs that make only the necessary calls."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from common.programs import output

from bench.errors import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Floor:
    """The program, built."""

    program: Path

    def nanoseconds(self, src: str, copies: Sequence[str], *, unlink: bool = False) -> float:
        """Copy ``src`` to each name of ``copies``; ns a copy, on the program's own clock.

        ``unlink`` removes each copy before the next, off the clock.
        """
        options = ["-u"] if unlink else []
        command = [str(self.program), *options, "--", src, *copies]
        return float(output(command))


def build(folder: Path, name: str = "floor") -> Floor:
    """Compile a program of this folder into ``folder``."""
    compiler = shutil.which("cc")
    if compiler is None:
        text = "the floor needs a C compiler: there is no cc here"
        raise BenchmarkError(text)
    source, program = HERE / f"{name}.c", folder / name
    # Symbols are looked up before the clock starts, as they are in a Python that has warmed up.
    command = [compiler, "-O2", "-pthread", "-Wl,-z,now", "-o", str(program), str(source)]
    output(command)
    return Floor(program)

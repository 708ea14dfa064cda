"""What ends the lab with one clear line instead of a traceback."""

from __future__ import annotations

EXIT_MISSING = 2
EXIT_SKIPPED = 3
EXIT_BROKEN = 125  # as of timeout, env and docker: the tool failed, not the command


class LabError(Exception):
    """The lab itself failed."""

    exit_code = EXIT_BROKEN


class MissingPieceError(LabError):
    """Something that --setup provides is not here."""

    exit_code = EXIT_MISSING

    def __init__(self, piece: str, setup: str = "--setup") -> None:
        """Name the piece and the command line that provides it."""
        super().__init__(f"{piece} is missing: run python tools/lab.py {setup}")

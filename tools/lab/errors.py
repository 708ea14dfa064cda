"""Errors that end the lab with one line, and the exit codes."""

from __future__ import annotations

from common.errors import ToolError

EXIT_MISSING = 2
EXIT_SKIPPED = 3
EXIT_BROKEN = 125  # as timeout, env and docker: the tool failed, not the command


class LabError(ToolError):
    """The lab itself failed."""


class MissingPieceError(LabError):
    """Something that --setup provides is not here."""

    exit_code = EXIT_MISSING

    def __init__(self, piece: str, setup: str = "--setup") -> None:
        """The message names the piece and the command line that provides it."""
        super().__init__(f"{piece} is missing: run python tools/lab.py {setup}")

"""Errors that end a tool with one line on stderr, without a traceback."""

from __future__ import annotations


class ToolError(Exception):
    """The tool cannot do what it was asked; the message says why and what to do."""

    exit_code: int | None = None  # None: the exit code that the tool has for every failure

"""Arguments, with GNU's messages and exit code."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, NoReturn, Optional

if TYPE_CHECKING:
    from collections.abc import Sequence

#: argparse's messages, and GNU's.
_WORDING = (
    (r"^argument (\S+): invalid \w+ value: (.*)$", r"invalid argument \2 for '\1'"),
    (r"^argument (\S+): expected one argument$", r"option '\1' requires an argument"),
    (r"^ambiguous option: (\S+) could match (.*)$", r"option '\1' is ambiguous: \2"),
)


class Parser(argparse.ArgumentParser):
    """Options may stand anywhere; an error is exit code 1 and points to --help."""

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parses the arguments of a command. All that follows ``--`` is an operand."""
        end = arguments.index("--") if "--" in arguments else len(arguments)
        options, unknown = self.parse_known_intermixed_args(arguments[:end])
        options.operands = [*(options.operands or ()), *arguments[end + 1 :]]
        if unknown:
            option = unknown[0]
            long = option.startswith("--")
            what = f"unrecognized option '{option}'" if long else f"invalid option -- '{option[1]}'"
            self.error(what)
        return options

    def error(self, message: str) -> NoReturn:
        """Ends the program with a message."""
        for theirs, gnu in _WORDING:
            message = re.sub(theirs, gnu, message)
        self.exit(1, f"{self.prog}: {message}\nTry '{self.prog} --help' for more information.\n")


def choice(*valid: str) -> type[argparse.Action]:
    """An option with one of these values."""

    class Choice(argparse.Action):
        def __call__(
            self,
            parser: argparse.ArgumentParser,
            namespace: argparse.Namespace,
            values: object,
            option_string: Optional[str] = None,
        ) -> None:
            if values not in valid:
                listed = "".join(f"\n  - '{value}'" for value in valid)
                parser.error(
                    f"invalid argument '{values}' for '{option_string}'\n"
                    f"Valid arguments are:{listed}"
                )
            setattr(namespace, self.dest, values)

    return Choice

"""What shall happen to the system calls of a copy, and which ones it made."""

from __future__ import annotations

import random
from typing import Callable, NamedTuple, Optional


def nothing_happens() -> None:
    """Is what a rule calls unless it says otherwise."""


class Rule(NamedTuple):
    """What happens to calls number ``skip`` to ``skip + times - 1`` of one name.

    ``action``: "fail" with the errno of Darwin's; "late": the call is made, and fails; "short": it
    moves ``amount`` bytes at most; "nothing": it returns 0; "call": nothing of that. ``function``
    is called before, with "after" after it.
    """

    call: str
    action: str
    errno: str = ""
    amount: int = 0
    skip: int = 0
    times: int = -1
    function: Callable[[], object] = nothing_happens


def fail(call: str, errno: str, *, skip: int = 0, times: int = -1) -> Rule:
    """The call fails with an errno of Darwin's, by its name."""
    return Rule(call, "fail", errno, skip=skip, times=times)


def signalled(call: str, function: Callable[[], object], *, skip: int = 0) -> Rule:
    """A signal, which the function sends, interrupts the call."""
    return Rule(call, "fail", "EINTR", skip=skip, times=1, function=function)


def late(call: str, errno: str, *, skip: int = 0, times: int = -1) -> Rule:
    """The call does what it is for, and then fails."""
    return Rule(call, "late", errno, skip=skip, times=times)


def short(call: str, amount: int, *, skip: int = 0, times: int = -1) -> Rule:
    """The call moves so many bytes at most."""
    return Rule(call, "short", amount=amount, skip=skip, times=times)


def nothing(call: str, *, skip: int = 0, times: int = -1) -> Rule:
    """The call succeeds and moves nothing."""
    return Rule(call, "nothing", skip=skip, times=times)


def before(call: str, function: Callable[[], object], *, skip: int = 0) -> Rule:
    """Something happens right before the call."""
    return Rule(call, "call", skip=skip, times=1, function=function)


def after(call: str, function: Callable[[], object], *, skip: int = 0) -> Rule:
    """Something happens right after the call."""
    return Rule(call, "after", skip=skip, times=1, function=function)


class Script:
    """The rules, what the volume can, and the calls that were made."""

    def __init__(self) -> None:
        """Without rules, on a volume that clones."""
        self.clones, self.smb = True, False
        self.rules: list[Rule] = []
        self.calls: list[str] = []
        self._seen: dict[int, int] = {}
        self._random = random.Random(0)  # noqa: S311

    def set(self, *rules: Rule, clones: bool = True, smb: bool = False) -> None:
        """Replaces the rules and forgets the calls. A share does not clone."""
        self.clones, self.smb = clones and not smb, smb
        self.rules = list(rules)
        self.calls.clear()
        self._seen.clear()

    def next(self, call: str) -> Optional[Rule]:
        """Notes a call, and finds the rule for it."""
        self.calls.append(call)
        found = None
        for number, rule in enumerate(self.rules):
            if rule.call != call:
                continue
            seen = self._seen.get(number, 0)
            self._seen[number] = seen + 1
            in_turn = rule.skip <= seen and (rule.times < 0 or seen < rule.skip + rule.times)
            if in_turn and found is None:
                found = rule
        return found

    def random(self) -> int:
        """What arc4random returns."""
        return self._random.getrandbits(32)

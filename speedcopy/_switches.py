"""Environment variables that switch something on or off."""

import os


def from_environment(name: str, *, default: bool = False) -> bool:
    """Reads a switch: unset or empty is ``default``; 0, no, off and false are off; else on."""
    value = os.environ.get(name, "").strip().lower()
    return value not in ("0", "no", "off", "false") if value else default

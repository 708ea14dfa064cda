"""Environment variables that switch something on or off."""

import os


def from_environment(name: str, *, default: bool = False) -> bool:
    """Reads a switch: ``default`` if unset or empty, off for 0, no, off and false, otherwise on."""
    value = os.environ.get(name, "").strip().lower()
    return value not in ("0", "no", "off", "false") if value else default

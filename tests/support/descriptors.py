"""Which descriptors are open."""

from __future__ import annotations

import os


def descriptors(folder: str = "") -> frozenset[str]:
    """The open descriptors of this process, by number and what they lead to.

    With ``folder``, only those of files in it. Empty where the system does not list them.
    """
    listing = "/proc/self/fd"
    found = set()
    for fd in os.listdir(listing) if os.path.isdir(listing) else ():
        try:
            target = os.readlink(f"{listing}/{fd}")
        except FileNotFoundError:  # it was the listing's own
            continue
        except OSError:  # Wine lists them, but not what they lead to
            target = ""
        if target.startswith(folder):
            found.add(f"{fd} -> {target}")
    return frozenset(found)

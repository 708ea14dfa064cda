"""Tries twelve copies on this machine and prints a short report to paste into an issue.

    python3 tools/dev.py report [--target DIR] [--other DIR] [--share DIR]

It takes about a minute and removes what it makes, also after Ctrl-C. --target is the folder to copy
in, --other a folder on another volume, --share a folder on an SMB share. A case ends with "ok",
with "not here" and the reason, or with "WRONG" and what was.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # python -P has not

from volunteer.cli import main

if __name__ == "__main__":
    sys.exit(main(__doc__ or "", sys.argv[1:]))

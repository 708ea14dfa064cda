"""Installs the project on each Debian, as a stranger does: ``python tools/installs.py --help``."""

import sys

from cross.installs import main

if __name__ == "__main__":
    sys.exit(main(__doc__ or "", sys.argv[1:]))

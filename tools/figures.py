"""Gains on several directories in one table: ``python tools/figures.py --help``."""

import sys

from bench.figures import main

if __name__ == "__main__":
    sys.exit(main())

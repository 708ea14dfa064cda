"""Compare speedcopy with a C program: ``python tools/ratios.py --help``."""

import sys

from bench.ratios import main

if __name__ == "__main__":
    sys.exit(main())

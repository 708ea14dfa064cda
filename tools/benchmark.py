"""Compare speedcopy with shutil on a directory: ``python tools/benchmark.py --help``."""

import sys

from bench.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""Gains on several directories in one table: ``python tools/figures.py --help``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # python -P has not

from bench.figures import main

if __name__ == "__main__":
    sys.exit(main())

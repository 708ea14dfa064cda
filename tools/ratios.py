"""Compare speedcopy with a C program: ``python tools/ratios.py --help``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # python -P has not

from bench.ratios import main

if __name__ == "__main__":
    sys.exit(main())

"""Measure more than tools/benchmark.py does: ``python tools/measure.py --help``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # python -P has not

from bench.commands import main

if __name__ == "__main__":
    sys.exit(main())

"""Compare speedcopy with shutil on a directory: ``python tools/benchmark.py --help``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # python -P has not

from bench.benchmark import main

if __name__ == "__main__":
    sys.exit(main())

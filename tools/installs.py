"""Installs the project as a stranger does: ``python tools/installs.py --help``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # python -P has not

from cross.installs import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""``python -m speedcopy``: cp, probe, bench."""

import sys

from speedcopy._cli.main import main

if __name__ == "__main__":
    sys.exit(main())

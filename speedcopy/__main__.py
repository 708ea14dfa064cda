"""``python -m speedcopy``: cp, probe, bench."""

import sys

if __name__ == "__main__":
    try:
        from speedcopy._cli.main import main

        sys.exit(main())
    except KeyboardInterrupt:  # before or after the command itself
        sys.exit(130)

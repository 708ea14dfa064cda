"""Run a command on real SMB and NFS shares, or on Windows: ``python tools/lab.py --help``."""

import sys

from lab.cli import main

sys.exit(main())

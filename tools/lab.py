"""Run a command on real SMB and NFS shares, or on Windows: ``python tools/lab.py --help``."""

import sys

from lab.vm import cli as vm
from lab.wine import cli as wine

arguments = sys.argv[1:]
if arguments[:1] == [vm.WINDOWS]:
    sys.exit(wine.main(arguments[1:]))
sys.exit(vm.main(arguments))

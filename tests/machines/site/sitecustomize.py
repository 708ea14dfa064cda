"""Every Python that a test of the code for macOS starts uses that code, too.

Python imports this module at its start, as its folder is in PYTHONPATH then.
"""

import os
from pathlib import Path

if "SPEEDCOPY_MACHINE" in os.environ:
    from machines import native

    native.install(Path(os.environ["SPEEDCOPY_MACHINE_LIBRARY"]), os.environ["SPEEDCOPY_MACHINE"])

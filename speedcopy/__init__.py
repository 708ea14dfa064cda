"""Copies files as :mod:`shutil` does, and lets the file system or the file server copy the data.

``copyfile``, ``copy``, ``copy2`` and ``copytree`` take the arguments of their namesakes in shutil.
``transfer`` copies as ``copyfile`` does, and returns how. ``probe`` says what copies between two
directories can use. ``patch_copyfile`` has ``shutil`` itself use speedcopy.
"""

from speedcopy import _loader, _switches  # noqa: F401 (first: its warning names our caller)
from speedcopy._copy2 import copy, copy2
from speedcopy._copyfile import copyfile, transfer
from speedcopy._patch import patch_copyfile, patched_copyfile, unpatch_copyfile
from speedcopy._probe.probe import Probe, probe, why_not_native
from speedcopy._report import Transfer
from speedcopy._trees.copytree import copytree
from speedcopy._types import Done, Metadata, Progress, Reflink, TreeProgress
from speedcopy._types import Path as StrOrBytesPath
from speedcopy.version import __version__

#: Log one line per copy. May be set at any time; also an environment variable.
SPEEDCOPY_DEBUG = _switches.from_environment("SPEEDCOPY_DEBUG")

#: Leave every copy to the standard library. May be set at any time; also an environment variable.
SPEEDCOPY_DISABLE = _switches.from_environment("SPEEDCOPY_DISABLE")

__all__ = [  # noqa: RUF022 (as sorted() has it)
    "Done",
    "Metadata",
    "Probe",
    "Progress",
    "Reflink",
    "SPEEDCOPY_DEBUG",
    "SPEEDCOPY_DISABLE",
    "StrOrBytesPath",
    "Transfer",
    "TreeProgress",
    "__version__",
    "copy",
    "copy2",
    "copyfile",
    "copytree",
    "patch_copyfile",
    "patched_copyfile",
    "probe",
    "transfer",
    "unpatch_copyfile",
    "why_not_native",
]

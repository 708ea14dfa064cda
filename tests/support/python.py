"""Starting another Python that can import what this one can."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def importing() -> dict[str, str]:
    """The environment for a Python that finds the modules of this process."""
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    return {**os.environ, "PYTHONPATH": path}

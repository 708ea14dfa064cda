"""Runs the project from a fresh checkout: makes an environment, installs, does one thing.

    python3 tools/dev.py benchmark [ARGUMENTS OF tools/benchmark.py]
    python3 tools/dev.py report [ARGUMENTS OF tools/report.py]
    python3 tools/dev.py test [ARGUMENTS OF pytest]
    python3 tools/dev.py python [ARGUMENTS]
    python3 tools/dev.py wheels [ARGUMENTS OF tools/cross.py wheels]

Needs Python 3.9 or later with pip or venv, and a C compiler. The first run takes up to two minutes
and needs the network; so does a run after a change of what is compiled. The environment is a folder
.venv-* in the checkout, one for each Python. If it is removed, the next run makes it again. The
compiled extension and the caches of the tests are also written to the checkout. "git clean -Xdn"
lists all that was made, and "git clean -Xdf" removes it.

"test" without a path leaves out tests/tools and tests/benchmarks: name them to run them.
"""

import os
import sys

# Older Pythons, too, can read this file, and say what is needed.
if sys.version_info < (3, 9):  # noqa: UP036
    sys.stderr.write("dev: needs Python 3.9 or later; this is " + sys.version.split()[0] + "\n")
    sys.exit(2)

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # python -P has not

from dev.cli import main

if __name__ == "__main__":
    sys.exit(main(__doc__, sys.argv[1:]))

"""Builds an sdist or a wheel of the project in the current directory, as pip would.

A program of its own: backend.py sdist FOLDER | backend.py wheel FOLDER EXTENSION TAG. It prints the
file name at last. Setuptools names extension and wheel after the Python that runs it: the last two
arguments replace that.
"""

from __future__ import annotations

import os
import sys
from unittest.mock import patch

from setuptools import build_meta
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext


def build_wheel(folder: str, extension: str, tag: str) -> str:
    """Builds a wheel with this tag, whose extension has the given file name."""

    def name(_: build_ext, fullname: str) -> str:
        return os.path.join(*fullname.split(".")[:-1], extension)

    with (
        patch.object(build_ext, "get_ext_filename", name),
        patch.object(bdist_wheel, "get_tag", lambda _: tuple(tag.split("-"))),
    ):
        return build_meta.build_wheel(folder)


if __name__ == "__main__":
    os.umask(0o022)  # wheels keep the modes of files
    sys.path[0] = ""
    if sys.argv[1] == "sdist":
        print(build_meta.build_sdist(sys.argv[2]))
    else:
        print(build_wheel(*sys.argv[2:]))

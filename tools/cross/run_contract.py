"""Runs the contract against an installed wheel: by the Python that it is installed in.

    python run_contract.py WHEEL EXTENSION [ARGUMENTS OF pytest]

Stands in a folder with the tests and without the package. Fails if this Python would not take a
wheel of that name, or does not load the extension, which has to have the file name EXTENSION.
"""

import os
import platform
import sys

import pytest
from packaging.tags import cpython_tags, sys_tags
from packaging.utils import parse_wheel_filename

TESTS = "tests/contract/test_contract.py"


def main(wheel: str, extension: str, *arguments: str) -> int:
    """Checks, says what is tested, and runs the tests."""
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    if not takes(wheel):
        return fail(f"this Python does not take {wheel}")
    import speedcopy  # noqa: PLC0415 - pip would not have installed it
    from speedcopy import _native  # noqa: PLC0415

    loaded = os.path.basename(_native.__file__)
    if loaded != extension:
        return fail(f"the extension is {loaded}, not {extension}")
    if speedcopy.why_not_native():
        return fail(f"the native layer is not used: {speedcopy.why_not_native()}")
    name = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{name}, {platform.machine()}, {sys.byteorder}-endian: {_native.__file__}", flush=True)
    return pytest.main(["-q", "-p", "no:cacheprovider", *arguments, TESTS])


def takes(wheel: str) -> bool:
    """Whether pip would install a wheel of this name."""
    tags = parse_wheel_filename(wheel)[3]
    try:
        return not tags.isdisjoint(sys_tags())
    except OSError:  # it asks musl for its version by starting it, which fails under an emulator
        platforms = sorted({tag.platform for tag in tags})
        return not tags.isdisjoint(cpython_tags(platforms=platforms))


def fail(reason: str) -> int:
    """Says why the tests are not run."""
    print(reason, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

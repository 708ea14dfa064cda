"""Settings that pyproject.toml cannot hold: the cffi module and the tag of the wheel."""

import sys
import sysconfig

from setuptools import setup

sys.path.insert(0, "")  # a build backend runs this file without its folder in the path
import build_ffi

# The stable ABI: one wheel for every CPython from 3.9 on. PyPy has no stable ABI. Free-threaded
# CPython has another one, from 3.15 on.
STABLE_ABI = sys.implementation.name == "cpython" and not sysconfig.get_config_var(
    "Py_GIL_DISABLED"
)

if build_ffi.target():
    setup(
        cffi_modules=["build_ffi.py:ffi"],
        options={"bdist_wheel": {"py_limited_api": "cp39"}} if STABLE_ABI else {},
    )
else:
    setup()

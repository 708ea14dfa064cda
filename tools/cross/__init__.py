"""Builds for systems that this machine is not: tools/cross.py.

build    compiles and links with zig, and compares the imported symbols with the lists in symbols/
cli      the command line
targets  the systems, and what their compilers are called with
test     runs the tests on the code for macOS and FreeBSD (tests/machines), counts system calls
wheels   the wheels for macOS, and checks of what is in them
"""

"""Builds for systems that this machine is not: tools/cross.py.

backend       a program that has setuptools build an sdist or a wheel
build         compiles and links with zig, and compares the imported symbols with those in symbols/
checks        what is known to stop a Python from loading a wheel
chroots       Debians of other processors
cli           the command line
installs      installs the project as strangers do: tools/installs.py
musl          a CPython for musl
python        Python's headers, and an import library for Windows
run_contract  a program that runs the contract against an installed wheel
runs          runs a wheel as far as this machine can
sdist         the sdist, with the same bytes each time
targets       the systems, their compilers and wheels, and how the wheels are run
test          runs the tests on the code for macOS and FreeBSD, counts system calls
ways          the ways to run a wheel, each on other Pythons
wheels        builds all wheels, checks and runs them, and prints the table
"""

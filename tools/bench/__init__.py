"""How fast speedcopy is, on this machine, in a directory of your choice.

cli          arguments, heading, table: tools/benchmark.py
ratios       ours against a C program that makes only the necessary calls: tools/ratios.py
needs        modules and space that a run needs, all said before it
errors       what ends a run with one clear line, and with which exit code
scratch      the folder that everything is made in, and that is gone afterwards
copiers      the tools that are compared, each a name and a callable
measure      the copies, in turn and on the clock
floor        the C program, built and run
environment  what the figures hang on: file system, kernel, Python, CPUs
progress     the line on stderr
report       table and JSON
plot         the picture; the only module that needs matplotlib

A MB is 1,048,576 bytes everywhere.
"""

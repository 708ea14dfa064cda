"""How fast speedcopy is, on this machine, in a directory of your choice.

benchmark    arguments and output of tools/benchmark.py
commands     the subcommands of tools/measure.py, a row each
figures      measure.py figures: the benchmark on several directories
ratios       measure.py ratios: speedcopy against a C program that makes only the necessary calls
trees        measure.py trees: a tree by speedcopy, shutil, cp and a C program
arguments    options that several commands have, and how their values are read
needs        modules and space that a run needs, checked before the run
errors       errors that end a run with one line, and their exit codes
scratch      the folder that everything is made in, removed at the end
copiers      the tools that are compared, each a name and a callable
rows         what a run is asked for, and its results: plan, timings, rows
turns        the copies of a benchmark: tools take turns, on the clock
floor        the C programs, built and run
floor.c      of a file
trees.c      of a tree
requests     how many requests a mount has sent to its file server
environment  what the figures depend on: file system, kernel, Python, CPUs
progress     the line on stderr
report       table and JSON
plot         the picture; the only module that needs matplotlib

A MB is 1,048,576 bytes everywhere.
"""

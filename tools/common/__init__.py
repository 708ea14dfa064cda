"""What several tools share. It needs nothing but the standard library.

command   one command: its argument parser, its messages, its exit code
errors    errors that end a tool with one line on stderr
programs  running another program and keeping what it printed
signals   the first signal that asks a tool to end becomes an exception
"""

"""What several tools share. Only the standard library is needed.

command    one command: its argument parser, its messages, its exit code
errors     errors that end a tool with one line on stderr
extension  how build_ffi.py has the extension  compiled; a program of its own, it needs cffi
programs   running another program and keeping what it printed
signals    the first signal that asks a tool to end becomes an exception
"""

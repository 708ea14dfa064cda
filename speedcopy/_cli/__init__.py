"""The command line.

main      which command; signals and exit codes
parser    arguments, with GNU cp's messages
cp        what is copied where, and what is refused
messages  GNU cp's wording
meter     progress on a terminal
probe     what can be used here
bench     how fast it is here
"""

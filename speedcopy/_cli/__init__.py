"""The command line.

main      which command; signals and exit codes
parser    arguments, with GNU cp's messages
cp        what is copied where, and what is refused
trees     cp -r
messages  GNU cp's wording
meter     progress on a terminal
bar       the same as a bar
probe     what can be used here
bench     how fast it is here
"""

"""From a fresh checkout to running: tools/dev.py.

cli          what the command line asks
environment  the virtual environment: made to the end, or made again
needs        what has to be there before anything is made
steps        one set-up at a time, step by step
"""

"""From a fresh checkout to running.

cli          what the command line asks: tools/dev.py
environment  the virtual environment: made to the end, or made again
needs        what has to be there before anything is made
steps        one set-up at a time, step by step, until a signal asks to end
"""

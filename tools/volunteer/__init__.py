"""Copies on somebody's machine, and a report of them: tools/report.py.

cases  what is tried, each beside shutil
cli    the command line, and the text
"""

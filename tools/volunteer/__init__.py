"""Copies on somebody's machine, and a report of them: tools/report.py.

checks  what the cases have in common: files, programs of the system, a comparison with shutil
local   cases on one volume
far     cases on another volume and on a share
cli     the command line, and the text
"""

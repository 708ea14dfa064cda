"""The lab of Windows: a CPython for Windows under Wine.

cli               arguments
setup             --setup: what is fetched and installed
build             the extension for Windows, built on this machine
fake_copyfile2.c  the CopyFile2 that the tests put in the place of Windows' own
run               one run of a Windows command
server            one Wine: its environment, its server, the end of its processes
"""

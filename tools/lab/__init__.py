"""Real file servers, real file systems and a Windows on one machine: tools/lab.py.

No module here needs more than the standard library.

vm         a virtual machine with network shares and disks
wine       a Windows Python under Wine
cache      where --setup keeps what it has fetched
command    what both labs have on their command lines, and how they end
errors     errors that end the lab with one line, and the exit codes
packages   Debian packages: installed here, or unpacked into the cache
pieces     what --setup provides, and what is missing at run time
processes  processes that end with the lab
"""

"""What copies can use between two directories, and why not more.

probe    the public function, and what it returns
asking   tries one mechanism alone
places   what a directory lies on: file system, server, dialect
reasons  what the answer of a mechanism means, in a sentence
scratch  temporary files
"""

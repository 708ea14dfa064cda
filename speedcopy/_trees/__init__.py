"""Copying a tree.

copytree     the public function
parallel     many tasks at once, by any executor; the calling thread keeps the books
in_order     a caller's own copy function, one file after the other
schedule     which directory is read next
tasks        what an executor does; the note on what is missing
running      the tasks that have begun
batches      copy_batch, the work of a task, which other processes run too
between      many files from one directory to another by one native call
alone        names that may lead to one file, and so are copied alone
links        links that become links
executors    threads of our own; is an executor another process?
as_cp        where a tree of `speedcopy cp` is not shutil's
directories  one directory: its names, its counterpart, its metadata, its errors
entries      the kinds of names in a directory
targets      how many workers a place needs, by what it is
"""

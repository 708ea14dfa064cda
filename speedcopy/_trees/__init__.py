"""Copying a tree.

copytree     the public function
parallel     many tasks at once, by any executor; the calling thread keeps the books
in_order     a caller's own copy function, one file after the other
schedule     which directory is read next
tasks        what is under way; the note on what is missing
batches      copy_batch, the work of a task, which other processes run too
executors    threads of our own; is an executor another process?
as_cp        where a tree of `speedcopy cp` is not shutil's
directories  one directory: its names, its counterpart, its metadata, its errors
entries      the kinds of names in a directory
targets      how many workers a place needs, by what it is
"""

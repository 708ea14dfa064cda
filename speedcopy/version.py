"""The version, in the three spellings that callers of speedcopy read."""

version_info = (3, 0, 0)
version = ".".join(str(part) for part in version_info)
__version__ = version

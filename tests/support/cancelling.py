"""A progress callback that cancels the copy, and the exception that it raises."""


class Stop(Exception):  # noqa: N818
    """The copy is cancelled."""


def stop(*_: int) -> None:
    """Cancels the copy at the first call."""
    raise Stop

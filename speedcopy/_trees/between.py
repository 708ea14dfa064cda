"""Many files from one open directory to another, by one call into the native layer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Optional

from speedcopy import _engine, _loader, _results

if TYPE_CHECKING:
    from speedcopy._copy2 import Copier
    from speedcopy._copyfile import Options
    from speedcopy._native import Batch

_native = _loader.native


class Between:
    """Copies names of one directory to another, as a Copier copies paths.

    The native layer opens both directories. That saves time on a local file system, and costs
    requests on a share.
    """

    def __init__(
        self,
        copier: Copier,
        options: Options,
        src: str,
        dst: str,
        names: list[str],
        *,
        opened: bool = True,
    ) -> None:
        """``src`` and ``dst`` have a separator at the end. If they are not opened, none copies."""
        self._copier, self._options = copier, options
        self._src, self._dst, self._names = src, dst, names
        self._audited = not copier.audits
        self._tried = bool(copier.skip)
        #: By index, what is to be raised when it is the turn of that name.
        self._refusals: dict[int, BaseException] = {}
        self._batch: Optional[Batch] = None
        if _native is not None and copier.is_native and opened:
            self._batch = _native.new_batch()

    @property
    def done(self) -> int:
        """How many files the last call has copied, also if it has raised or is under way."""
        return self._batch.done if self._batch else 0

    @property
    def copied(self) -> int:
        """The bytes of these files."""
        return self._batch.copied if self._batch else 0

    def forget(self) -> None:
        """The files of the last call are counted elsewhere now."""
        if self._batch:
            self._batch.done = self._batch.copied = 0

    def copy(self, start: int) -> Optional[tuple[int, int]]:
        """Copies from the name with this index on, up to one that fails.

        Returns how many were copied, and their bytes; None if a Copier has to copy. Raises the
        error of the first name, and at any time what the callback raises.
        """
        batch = self._batch
        if batch is not None:
            self._audit()
        if start in self._refusals:
            raise self._refusals.pop(start)
        if _native is None or batch is None:
            return None
        # What the first one finds useless is not tried for the others.
        end = len(self._names) if self._tried else start + 1
        end = min([end, *(index for index in self._refusals if index > start)])
        self._tried = True
        src, dst, *names = map(os.fsencode, (self._src, self._dst, *self._names[start:end]))
        flags, callback = self._copier.flags, self._options.progress
        result = _native.copy_names(src, dst, names, flags, callback, batch)
        if not result:
            self._copier.learn(batch.last)
        elif _results.left_to_python(result) is not None or _results.lacks_descriptors(result):
            self._batch = None
            self._copier.audits = False  # all of these names were reported
        else:
            self._refuse(start + batch.done, result)
            if not batch.done:
                raise self._refusals.pop(start)
        return (batch.done, batch.copied) if batch.done else None

    def _refuse(self, index: int, result: int) -> None:
        name = self._names[index]
        try:
            _results.raise_for(result, self._src + name, self._dst + name)
        except Exception as why:  # noqa: BLE001
            self._refusals[index] = why

    def _audit(self) -> None:
        """Raises the events of all names, once each."""
        if self._audited:
            return
        self._audited = True
        for index, name in enumerate(self._names):
            src, dst = self._src + name, self._dst + name
            try:
                _engine.audit(src, dst, src, dst, self._options.metadata)
            except Exception as why:  # noqa: BLE001
                self._refusals[index] = why
                if not isinstance(why, OSError):
                    return  # the copies end there

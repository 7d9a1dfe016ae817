"""The folder in which a recorder keeps its calls: names them, and deletes those that are too old or too many."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Collection
from datetime import datetime, timezone
from pathlib import Path
from secrets import token_hex

from .files import FILES

IN_USE_S = 600.0
"""A call whose files were written to this recently may still go on in another process, so it is not deleted."""
_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-[0-9a-f]{8}")


class Shelf:
    """Keeps the folders of calls in one folder.

    Args:
        path: that folder. It need not exist yet.
        max_bytes: how much all calls may take.
        max_age_s: for how many seconds a call is kept.
    """

    def __init__(self, path: Path, max_bytes: int, max_age_s: float) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s

    def new(self) -> Path:
        """A folder for a new call, which is not made yet."""
        return self._path / f"{datetime.now(timezone.utc):%Y-%m-%dT%H-%M-%S}-{token_hex(4)}"

    def room(self, in_use: Collection[Path]) -> int:
        """Deletes calls that are too old or too many, the oldest first, and returns how many bytes may be written.

        Only folders that are named as those of calls are looked at, and only files of recordings are deleted.

        Args:
            in_use: the calls that go on in this process.
        """
        now, calls = time.time(), self._calls()
        left = self._max_bytes - sum(size for _, size, _ in calls)
        for call, size, written_at in calls:
            age_s = now - written_at
            is_unwanted = age_s > self._max_age_s or left <= 0
            if is_unwanted and age_s > IN_USE_S and call not in in_use and _delete(call):
                left += size
        return left

    def _calls(self) -> list[tuple[Path, int, float]]:
        """Each call, the oldest first, with its bytes and when it was last written to (wall clock)."""
        found = []
        for call in sorted(_entries(self._path), key=lambda entry: entry.name):
            # What a link leads to is not ours.
            if not _NAME.fullmatch(call.name) or call.is_symlink():
                continue
            stats = [at for at in map(_stat, _entries(call.path)) if at is not None]
            if stats:
                found.append((Path(call.path), sum(at.st_size for at in stats), max(at.st_mtime for at in stats)))
        return found


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing if it can't be read."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _stat(file: os.DirEntry[str]) -> os.stat_result | None:
    """The size and time of a file of a recording; None for any other, and for one that is gone."""
    with contextlib.suppress(OSError):
        return file.stat() if file.name in FILES else None
    return None


def _delete(call: Path) -> bool:
    """Deletes the files that a recording has written, and nothing else; returns whether that was possible."""
    try:
        for name in FILES:
            (call / name).unlink(missing_ok=True)
    except OSError:
        return False
    # If there are other files in it, the folder stays.
    with contextlib.suppress(OSError):
        call.rmdir()
    return True

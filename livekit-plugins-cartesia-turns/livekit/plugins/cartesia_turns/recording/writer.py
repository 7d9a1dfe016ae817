"""The thread that writes recordings. Whatever the disk does, the calls go on as if nobody recorded them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from ..log import logger
from .audio_file import AudioFile, write_all
from .files import CALL_FILE
from .journal import Journal, Lines

EVERY_S = 10.0
"""How often the thread writes, in seconds. If the process is killed, up to this much of a call is lost.

Writes are rare, since each of them holds up the event loop for a moment.
"""
BREAK_S = 0.001
"""A break behind each call, in seconds, in which the event loop can go on: Python runs one thread at a time."""
EXIT_S = 5.0
"""How long the end of the process waits for a slow disk, in seconds."""
GRANT_BYTES = 8 * 1024 * 1024
"""After this many bytes the thread looks again how much room is left."""


class CallWriter:
    """Writes one call into a folder of its own.

    Args:
        folder: is made by the first write.
        journal: gives what happens in the call.
        lines: turns that into lines and audio.
        audio: takes the audio; None if it is not kept.
        room: makes room if it must, and returns how many bytes may be written.
    """

    def __init__(
        self, folder: Path, journal: Journal, lines: Lines, audio: AudioFile | None, room: Callable[[], int]
    ) -> None:
        self.journal: Journal = journal
        self.is_done: threading.Event = threading.Event()
        """Nothing more is written."""
        self.folder: Path = folder
        self._lines = lines
        self._audio = audio
        self._room = room
        self._granted = 0
        self._file: FileIO | None = None

    def write(self) -> bool:
        """Writes what has come, and returns whether more may come. Any trouble is logged once and ends the recording.

        No exception leaves it, since it would end the thread and with it the recordings of all calls.
        """
        if self.is_done.is_set():
            return False
        is_last = self.journal.is_closed
        trouble = "the disk is too slow" if self.journal.is_overrun else ""
        try:
            trouble = self._write() or trouble
            if is_last and self._audio is not None:
                self._audio.close()
        except Exception as error:
            trouble = type(error).__name__
        if trouble:
            self.stop(trouble)
        if is_last or trouble:
            self._let_go()
            self.is_done.set()
        return not self.is_done.is_set()

    def stop(self, trouble: str) -> None:
        """Records nothing more, and says why in the log: `trouble` is a static text or the name of an exception."""
        self.journal.close()
        logger.warning("a recording was stopped, the call goes on without it", extra={"reason": trouble})

    def _write(self) -> str:
        lines, pcm = self._lines.of(self.journal.take())
        if self._file is None:
            self.folder.mkdir(mode=0o700, parents=True)
            self._file = FileIO(self.folder / CALL_FILE, "w")
        self._granted -= len(lines) + len(pcm)
        if self._granted < 0:
            self._granted = min(GRANT_BYTES, self._room())
            if self._granted <= 0:
                return "the recordings take all the room that they may"
        # The audio is written first, so that none is missing that the lines tell of.
        if self._audio is not None:
            self._audio.write(pcm)
        write_all(self._file, lines.encode())
        return ""

    def _let_go(self) -> None:
        self.journal.take()
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.close()
        if self._audio is not None:
            self._audio.let_go()


class Writer:
    """One thread for all calls of a recorder. It runs while there are any."""

    def __init__(self) -> None:
        self._calls: list[CallWriter] = []
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def folders(self) -> set[Path]:
        """The folders of the calls that go on."""
        with self._lock:
            return {call.folder for call in self._calls}

    def add(self, call: CallWriter) -> None:
        """Begins to write a call."""
        call.journal.wake = self._news.set
        with self._lock:
            self._calls.append(call)
            # A process that was forked has no thread of its parent.
            if self._thread is None or not self._thread.is_alive():
                # A daemon thread never keeps the process from ending. `finish` waits for calls that have ended.
                self._thread = threading.Thread(target=self._run, name="cartesia_turns recorder", daemon=True)
                if not _started(self._thread):
                    self._calls.remove(call)
                    call.stop("no thread can be started")

    def finish(self, call: CallWriter) -> None:
        """Writes the rest of a call. The end of the process waits for that, EXIT_S at most."""
        call.journal.close()
        self._news.set()
        _started(threading.Thread(target=call.is_done.wait, args=(EXIT_S,), name="cartesia_turns recorder at exit"))

    def _run(self) -> None:
        while True:
            self._news.wait(EVERY_S)
            self._news.clear()
            with self._lock:
                calls = list(self._calls)
            done = [call for call in calls if not _written(call)]
            with self._lock:
                self._calls = [call for call in self._calls if call not in done]
                if not self._calls:
                    self._thread = None
                    return


def _written(call: CallWriter) -> bool:
    """Writes one call, and returns whether more may come."""
    goes_on = call.write()
    time.sleep(BREAK_S)
    return goes_on


def _started(thread: threading.Thread) -> bool:
    """Starts a thread, and returns whether that was possible: a process may have as many as it is allowed."""
    try:
        thread.start()
    except RuntimeError:
        return False
    return True

"""The thread that writes recordings down. Whatever the disk does, the calls go on as if nobody recorded them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from ..log import logger
from .audio_file import AudioFile, write_all
from .files import CALL_FILE
from .journal import Journal, Lines

EVERY_S = 2.0
"""How often the thread looks for news, in seconds: what is lost of a call whose process is killed.

Each write lets the event loop wait for a moment, so that there are few.
"""
EXIT_S = 5.0
"""How long the end of the process waits for a slow disk, in seconds."""
GRANT_BYTES = 8 * 1024 * 1024
"""After so much the room that is left is looked up again."""


class CallWriter:
    """Writes one call into a folder of its own.

    Args:
        folder: is made by the first write.
        journal: what happens in the call.
        lines: writes that out.
        audio: takes the audio, None where it is not kept.
        room: says how many bytes there is room for, and makes some.
    """

    def __init__(
        self, folder: Path, journal: Journal, lines: Lines, audio: AudioFile | None, room: Callable[[], int]
    ) -> None:
        self.journal: Journal = journal
        self.is_done: threading.Event = threading.Event()
        """Nothing more is written."""
        self._folder = folder
        self._lines = lines
        self._audio = audio
        self._room = room
        self._granted = 0
        self._file: FileIO | None = None

    def write(self) -> bool:
        """Writes what has come, and returns whether more may come. What the disk does is logged, once."""
        if self.is_done.is_set():
            return False
        is_last = self.journal.is_closed
        trouble = "the disk is too slow" if self.journal.is_overrun else ""
        try:
            trouble = self._write() or trouble
            if is_last and self._audio is not None:
                self._audio.close()
        except OSError as error:
            trouble = type(error).__name__
        if trouble:
            self.journal.is_closed = True
            logger.warning("a recording was stopped, the call goes on without it", extra={"reason": trouble})
        if is_last or trouble:
            self._let_go()
            self.is_done.set()
        return not self.is_done.is_set()

    def _write(self) -> str:
        lines, pcm = self._lines.of(self.journal.take())
        if self._file is None:
            self._folder.mkdir(mode=0o700, parents=True)
            self._file = FileIO(self._folder / CALL_FILE, "w")
        self._granted -= len(lines) + len(pcm)
        if self._granted < 0:
            self._granted = min(GRANT_BYTES, self._room())
            if self._granted <= 0:
                return "the recordings take all the room that they may"
        # The audio first: of what the lines tell of, none is missing.
        if self._audio is not None:
            self._audio.write(pcm)
        write_all(self._file, lines.encode())
        return ""

    def _let_go(self) -> None:
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.close()
        if self._audio is not None:
            self._audio.let_go()


class Writer:
    """One thread for all calls of a recorder; it lives while there are any."""

    def __init__(self) -> None:
        self._calls: list[CallWriter] = []
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._is_running = False

    def add(self, call: CallWriter) -> None:
        """Begins to write a call down."""
        call.journal.wake = self._news.set
        with self._lock:
            self._calls.append(call)
            if not self._is_running:
                self._is_running = True
                # It never keeps a process from ending that was cut off; `finish` waits for calls that have ended.
                threading.Thread(target=self._run, name="cartesia_turns recorder", daemon=True).start()

    def finish(self, call: CallWriter) -> None:
        """Writes the rest of a call; the end of the process waits for it, though not for ever."""
        call.journal.is_closed = True
        self._news.set()
        threading.Thread(target=call.is_done.wait, args=(EXIT_S,), name="cartesia_turns recorder at exit").start()

    def _run(self) -> None:
        while True:
            self._news.wait(EVERY_S)
            self._news.clear()
            with self._lock:
                calls = list(self._calls)
            done = [call for call in calls if not call.write()]
            with self._lock:
                self._calls = [call for call in self._calls if call not in done]
                if not self._calls:
                    self._is_running = False
                    return

"""The agent worker as a process of its own, as it runs in production; it is waited for until it is registered."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from .errors import RoomError, last_line
from .grants import LivekitAccess
from .processes import end_process, start_process, stopped_unless_started

AGENT = Path(__file__).parent.parent / "agent.py"
REGISTERED = "registered worker"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.1


class Worker:
    """`examples/agent.py` in the background, as an async context manager.

    Attributes:
        log: The worker's own log, that of its jobs included.
    """

    def __init__(
        self,
        access: LivekitAccess,
        *,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        script: Path = AGENT,
        production: bool = False,
    ) -> None:
        """Prepare a worker.

        Args:
            access: The LiveKit server whose rooms it takes.
            log: Where its log goes; a file that is gone afterwards when not given.
            environment: Variables beside this process's own, such as keys and the speech-to-text's address.
            script: The worker's Python file.
            production: Leave out `--dev`: the worker then lets its rooms end before it ends.
        """
        self._resources = contextlib.ExitStack()
        folder = None if log else self._resources.enter_context(tempfile.TemporaryDirectory())
        self.log = log or Path(folder or "") / "worker.log"
        mode = [] if production else ["--dev"]
        self._arguments = ["-m", "livekit.agents", "start", str(script), *mode]
        self._environment = {
            **os.environ,
            **(environment or {}),
            "LIVEKIT_URL": access.url,
            "LIVEKIT_API_KEY": access.api_key,
            "LIVEKIT_API_SECRET": access.api_secret,
        }
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Worker:
        """Start it and wait until LiveKit knows it.

        Raises:
            RoomError: It ended, or did not register within a minute.
        """
        with self.log.open("wb") as log:
            self._process = await start_process(sys.executable, *self._arguments, env=self._environment, output=log)
        async with stopped_unless_started(self.stop):
            if not await self._registers(self._process):
                raise RoomError(f"the agent worker did not start: {last_line(self._text())}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        """Of the process that leads the worker's process group; 0 where it does not run."""
        return self._process.pid if self._process is not None else 0

    async def wait(self) -> int:
        """Wait until the worker ends by itself; returns its exit code."""
        return await self._process.wait() if self._process is not None else 0

    async def stop(self) -> None:
        """End the worker and its jobs."""
        process, self._process = self._process, None
        with self._resources:
            if process is not None:
                await end_process(process, timeout_s=STOP_TIMEOUT_S)

    async def _registers(self, process: asyncio.subprocess.Process) -> bool:
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
        while process.returncode is None and asyncio.get_running_loop().time() < deadline:
            if REGISTERED in self._text():
                return True
            await asyncio.sleep(POLL_S)
        return False

    def _text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.is_file() else ""

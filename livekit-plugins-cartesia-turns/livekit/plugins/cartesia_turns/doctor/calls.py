"""Streams of the plugin as a check opens them: what each one tells, and when. Every wait is bounded."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar, get_args

from livekit import rtc
from livekit.agents import APIConnectOptions, APIError

from ..events import ConnectedEvent, ConnectionErrorEvent, EventName
from ..net.tasks import finish
from ..stt import STT

E = TypeVar("E")
CHECK_EVERY_S = 0.05
"""How often to look at a condition that no event announces, such as a counter."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the checks connect to, and with what.

    Attributes:
        base_url: as the STT's.
        allow_plaintext: as the STT's.
        model: as the STT's; None is the STT's own.
        token: an access token in place of the key, which is the environment's.
        timeout_s: bounds each attempt to connect, in seconds.
    """

    base_url: str
    allow_plaintext: bool = False
    model: str | None = None
    token: str | None = field(default=None, repr=False)
    timeout_s: float = 10.0

    def stt(self, **settings: Any) -> STT:
        """An STT that connects there.

        Raises:
            ValueError: the address, the model or a setting can't be right, or there is neither a key nor a token.
        """
        if self.model is not None:
            settings["model"] = self.model
        return STT(
            base_url=self.base_url, allow_plaintext=self.allow_plaintext, access_token=self.token or None, **settings
        )


@dataclass(frozen=True, slots=True)
class Told:
    """One of the plugin's events, and when it came: monotonic seconds, and those of the wall clock."""

    event: object
    at: float
    at_wall: float


class Call:
    """One stream, which connects only once: an error ends it.

    Args:
        stt: used by this call alone.
        timeout_s: bounds the attempt to connect.
    """

    def __init__(self, stt: STT, timeout_s: float) -> None:
        self.told: list[Told] = []
        """What the plugin has told, the first first."""
        self.failure: APIError | None = None
        """What the stream ended with, if it failed."""
        self.is_over: bool = False
        self._stt = stt
        self._timeout_s = timeout_s
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Call:
        for name in get_args(EventName):
            self._stt.on(name, self._note)
        options = APIConnectOptions(max_retry=0, timeout=self._timeout_s)
        self.stream = self._stt.stream(conn_options=options)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._stt.aclose()

    @property
    def connected(self) -> ConnectedEvent | None:
        """The server's `connected`, once it is there."""
        return self.last(ConnectedEvent)

    @property
    def trouble(self) -> APIError | None:
        """What went wrong with a connection, whether the stream has ended with it or not."""
        met = self.last(ConnectionErrorEvent)
        return self.failure or (met.error if met else None)

    def push(self, pcm: bytes, sample_rate: int) -> None:
        """Pushes mono 16-bit audio. Once the stream is over it is dropped: that may be so before `is_over` tells."""
        with contextlib.suppress(RuntimeError):
            self.stream.push_frame(frame(pcm, sample_rate))

    def last(self, kind: type[E]) -> E | None:
        """The last event of this kind."""
        return next((told.event for told in reversed(self.told) if isinstance(told.event, kind)), None)

    def all(self, kind: type[Any]) -> list[Told]:
        """The events of this kind, the first first."""
        return [told for told in self.told if isinstance(told.event, kind)]

    async def until(self, condition: Callable[[], object], timeout_s: float) -> bool:
        """Waits until the condition holds, the stream is over, or the time is up; returns whether it holds."""
        until = time.monotonic() + timeout_s
        while not condition() and not self.is_over and (left_s := until - time.monotonic()) > 0:
            await finish(asyncio.create_task(self._changed.wait()), min(left_s, CHECK_EVERY_S))
            self._changed.clear()
        return bool(condition())

    async def connect(self) -> bool:
        """Waits for the handshake and then for `connected`: each has the whole time of an attempt."""
        return await self.until(lambda: self.connected, 2 * self._timeout_s + 1.0)

    def _note(self, event: object) -> None:
        self.told.append(Told(event, time.monotonic(), time.time()))
        self._changed.set()

    async def _read(self) -> None:
        try:
            async for _ in self.stream:
                self._changed.set()
        except APIError as error:
            self.failure = error
        finally:
            self.is_over = True
            self._changed.set()
            # Shielded from the cancellation of this task: the socket is to be closed in any case.
            await asyncio.shield(self.stream.aclose())


def frame(pcm: bytes, sample_rate: int) -> rtc.AudioFrame:
    """Mono 16-bit audio as the plugin takes it."""
    return rtc.AudioFrame(pcm, sample_rate, 1, len(pcm) // 2)

"""Scripted calls in virtual time whose events are reported as those of a stream, so that they are measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from livekit.agents import stt
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.live import CallOptions, UserOptions
from livekit.plugins.cartesia_turns.reporter import Reporter
from livekit.plugins.cartesia_turns.wire.messages import TurnEnd, TurnUpdate
from livekit.plugins.cartesia_turns.wire.options import Options

from .scenario import FRAME_S, OPTIONS, RATE, START, Scenario

SLICE_S = 0.021
"""The end of speech is known to a slice of audio."""


class MeasuredCall(Scenario):
    """A scenario whose events are reported as those of a stream."""

    def __init__(self, *, limits: Limits | None = None) -> None:
        self._random = np.random.default_rng(1)
        sent: Callable[[stt.SpeechEvent], None] = self._ignore
        call = CallOptions(UserOptions(Options()))
        self.reporter = Reporter(self, call, sent, speech_times=True, acquired=lambda *_: None)
        super().__init__(OPTIONS, limits=limits)

    def note(self) -> None:
        self.reporter.events(self.client.take_events(), self.client.stats)

    def close(self) -> None:
        """The stream is closed, whatever is open."""
        self.reporter.closed(self.client.stats)

    def turn(self, text: str = "a b", *, pause_s: float = 0.5) -> None:
        """A turn of a second that ends after this pause."""
        self.begin(text)
        self.speak(pause_s, is_silent=True)
        self.say(TurnEnd("r", text))

    def begin(self, text: str = "a b") -> None:
        """A turn of a second of speech, still open. Every tenth frame of a scenario is soft, but not the last here."""
        self.number = 0
        self.speak(1.1)
        self.say(START, TurnUpdate("r", text))

    def noise(self, seconds: float, level: float) -> None:
        """Pushes white noise of this level in real time."""
        for _ in range(round(seconds / FRAME_S)):
            self.wait(FRAME_S)
            frame = self._random.normal(0, level, round(RATE * FRAME_S)).clip(-32768, 32767).astype("<i2")
            self.client.push_audio(frame.tobytes(), self.now)
            self.note()
            self.pump()

    def emit(self, event: str, *args: object) -> None:
        pass

    def _warn_once(self, text: str) -> None:
        pass

    def _apply(self, calls: Iterable[CallOptions]) -> None:
        pass

    def _ignore(self, event: stt.SpeechEvent) -> None:
        pass


def replay_begins(call: MeasuredCall, *, outage_s: float = 0.3) -> None:
    """The socket is lost, and another is open after the outage."""
    call.lose()
    call.speak(outage_s, answers=False)
    call.open()
    call.wait(0.2)


def once(value: float) -> object:
    """One value in a histogram."""
    return pytest.approx((1, value), abs=SLICE_S)

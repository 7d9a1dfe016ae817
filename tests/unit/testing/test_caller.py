from __future__ import annotations

import asyncio
import time

import pytest
from livekit import rtc
from livekit.plugins.cartesia_turns import STT, TurnEndEvent
from livekit.plugins.cartesia_turns.testing import Caller, Heard, caller, noise, say, silence
from livekit.plugins.cartesia_turns.testing.speech import Voice
from support.waiting import until


class Line:
    """What a caller pushed, and an STT that has yet to hear it."""

    def __init__(self, *, fast: bool = True) -> None:
        self.stt = STT(api_key="not used")
        self.heard = Heard(self.stt, fast=fast)
        self.frames: list[rtc.AudioFrame] = []
        self.backlog_s = 0.0
        self.caller = Caller(Voice(), self.heard, self.frames.append, (lambda: self.backlog_s) if fast else None)

    @property
    def seconds(self) -> float:
        return sum(frame.duration for frame in self.frames)


async def test_words_and_pauses_are_pushed_in_frames_of_20_ms() -> None:
    line = Line()
    await line.caller.play(say("a b", pause=0.4), silence(0.1))
    assert {frame.samples_per_channel for frame in line.frames} == {320}
    assert line.seconds == pytest.approx(1.1)
    spoken = [any(bytes(frame.data)) for frame in line.frames]
    assert spoken == [True] * 30 + [False] * 25


async def test_a_text_in_place_of_a_line_is_refused_before_anything_is_said() -> None:
    line = Line()
    with pytest.raises(TypeError, match=r"takes what say\(\), silence\(\) and noise\(\) return, not 'hello'"):
        await line.caller.play(say("a"), "hello")  # type: ignore[arg-type]  # on purpose
    assert line.frames == []


async def test_words_of_odd_lengths_add_up() -> None:
    line = Line()
    await line.caller.play(say("a b c d e f g h i j", word_s=0.2345, pause=0.5))
    assert line.seconds == pytest.approx(2.845, abs=0.02)


async def test_in_real_time_each_frame_is_pushed_once_it_was_spoken() -> None:
    line = Line(fast=False)
    begun = time.monotonic()
    await line.caller.say("a", pause=0.2)
    assert time.monotonic() - begun >= 0.47


async def test_audio_that_is_pushed_fast_waits_for_what_is_not_sent() -> None:
    line = Line()
    line.backlog_s = 2.0
    playing = asyncio.ensure_future(line.caller.say("a", pause=0.0))
    await asyncio.sleep(0.02)
    assert not line.frames
    line.backlog_s = 0.5
    await playing
    assert line.seconds == pytest.approx(0.3)


async def test_without_a_pause_silence_is_pushed_until_the_turn_with_its_words_is_over() -> None:
    line = Line()
    playing = asyncio.ensure_future(line.caller.say("one two"))
    await until(lambda: line.seconds > 1.0)
    line.stt.emit("turn_end", TurnEndEvent("r", "one"))
    pushed_s = line.seconds
    await until(lambda: line.seconds > pushed_s)
    line.stt.emit("turn_end", TurnEndEvent("r", "two"))
    assert await playing is line.heard
    assert not any(bytes(line.frames[-1].data))


async def test_a_turn_that_never_ends_is_told_with_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "WAIT_S", 0.05)
    line = Line()
    with pytest.raises(
        AssertionError,
        match=r'the turn in which the user says "one two" did not end within 0.05 s\n.*\n.*the user says "one two"',
    ):
        await line.caller.say("one two")


async def test_what_never_comes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "WAIT_S", 0.05)
    line = Line()
    await line.caller.until(lambda: True, "nothing")
    with pytest.raises(AssertionError, match=r"the bus did not come within 0\.05 s"):
        await line.caller.until(lambda: False, "the bus")


async def test_what_is_said_is_noted_with_its_pause() -> None:
    line = Line()
    await line.caller.play(say("what time", pause=0.4), silence(1.0), noise(0.5, pause=0.0))
    told = [text.split("s  ", 1)[1] for text in str(line.heard).splitlines()[1:]]
    assert told == [
        'the user says "what time", then is silent for 0.40 s',
        "the user is silent for 1.00 s",
        "the user makes a noise for 0.50 s, then is silent for 0.00 s",
    ]


async def test_after_a_noise_silence_is_pushed_until_its_turn_is_over() -> None:
    line = Line()
    playing = asyncio.ensure_future(line.caller.play(noise(0.5)))
    await until(lambda: line.seconds > 1.0)
    line.stt.emit("turn_end", TurnEndEvent("r", ""))
    assert await playing is line.heard

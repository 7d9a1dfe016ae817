"""Speech in real time, to servers that hear it and to some that do not."""

from __future__ import annotations

import numpy as np
import pytest
from livekit.plugins.cartesia_turns.doctor import speech
from livekit.plugins.cartesia_turns.doctor.calls import Server, Told
from livekit.plugins.cartesia_turns.doctor.recording import Recording
from livekit.plugins.cartesia_turns.doctor.verdict import Verdict
from livekit.plugins.cartesia_turns.events import TurnEndEvent, TurnStartEvent, TurnUpdateEvent
from livekit.plugins.cartesia_turns.server import Faults, Script, say
from livekit.plugins.cartesia_turns.wire.messages import TurnEnd, TurnStart
from support import synthetic
from support.localserver import server
from support.speech import silence
from support.verdicts import advised, called, levels

AUDIO = silence(0.2) + synthetic.words(0, 2)


def recording(pcm: bytes = AUDIO, text: str = "") -> Recording:
    return Recording("synthetic", 16000, np.frombuffer(pcm, np.int16).reshape(1, -1), text)


async def spoken(monkeypatch: pytest.MonkeyPatch, text: str = "", **options: object) -> list[Verdict]:
    async with server(**options) as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        return await speech.check(Server(local.url, timeout_s=3.0), recording(text=text))


async def test_the_words_and_the_delay_of_a_turn_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = await spoken(monkeypatch)
    assert levels(verdicts)["words"] == "ok"
    assert '"w0 w1"' in called("words", verdicts).what
    assert 0.2 < called("end of turn", verdicts).figures["delay_s"] < 5.0
    assert called("words", verdicts).figures["turns"] == 1


async def test_a_server_that_hears_nobody_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "MORE_S", -5.0)
    verdicts = await spoken(monkeypatch, script=Script([]))
    assert advised(called("words", verdicts))[0] == "problem"
    assert levels(verdicts)["end of turn"] == "skipped"


async def test_a_turn_without_words_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    wordless = Script([say(0.2, TurnStart("")), say(0.6, TurnEnd("", ""))])
    level, advice = advised(called("words", await spoken(monkeypatch, script=wordless)))
    assert level == "problem"
    assert "language" in advice


async def test_a_connection_that_breaks_while_audio_is_sent_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = await spoken(monkeypatch, faults=Faults(drop_at_s=0.4, drop_code=1011))
    verdict = called("words", verdicts)
    assert advised(verdict)[0] == "problem"
    assert "broke" in verdict.what


async def test_a_server_that_refuses_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = await spoken(monkeypatch, faults=Faults(status=503))
    assert advised(called("words", verdicts))[0] == "problem"


async def test_words_other_than_those_of_the_sample_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = called("words", await spoken(monkeypatch, text="He was not there"))
    assert advised(verdict)[0] == "warning"
    assert "He was not there" in verdict.what


def told(*events: object, at: float = 10.0) -> list[Told]:
    return [Told(event, at, at) for event in events]


def test_a_turn_that_ends_late_is_a_warning() -> None:
    events = told(TurnStartEvent("r"), TurnUpdateEvent("r", "hello"), TurnEndEvent("r", "hello", speech_end_time=7.0))
    level, advice = advised(verdict := called("end of turn", speech.judge(events, None, 0.0)))
    assert level == "warning"
    assert "turn_end_threshold" in advice
    assert verdict.figures == {"delay_s": 3.0}


def test_half_of_the_words_of_the_sample_are_enough_whatever_the_case_and_the_punctuation() -> None:
    events = told(TurnEndEvent("r", "HE, was: ill", speech_end_time=9.5))
    assert levels(speech.judge(events, None, 0.0, "he was very ill."))["words"] == "ok"
    assert levels(speech.judge(events, None, 0.0, "they were very ill."))["words"] == "warning"


def test_any_recording_is_sent_as_mono_at_one_rate() -> None:
    stereo = Recording("two", 48000, np.full((2, 48000), 700, np.int16))
    sent = np.frombuffer(speech.as_sent(stereo), np.int16)
    assert len(sent) == pytest.approx(16000, abs=400)
    assert np.median(sent) == pytest.approx(700, abs=5)

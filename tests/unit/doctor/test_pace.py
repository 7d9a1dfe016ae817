"""How fast a server takes audio, with local servers that have a limit."""

from __future__ import annotations

import numpy as np
import pytest
from livekit.plugins.cartesia_turns.doctor import pace
from livekit.plugins.cartesia_turns.doctor.calls import Server
from livekit.plugins.cartesia_turns.doctor.verdict import Verdict
from livekit.plugins.cartesia_turns.server import Faults, Script
from support import speech, synthetic
from support.localserver import server
from support.verdicts import advised

AUDIO = speech.silence(0.5) + synthetic.words(0, 8) + speech.silence(0.5)


async def measured(monkeypatch: pytest.MonkeyPatch, seconds: float = 2.0, **options: object) -> Verdict:
    monkeypatch.setattr(pace, "TRIED_S", seconds)
    async with server(script=Script([]), **options) as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        verdict = await pace.check(Server(local.url, timeout_s=3.0), AUDIO)
        assert local.open_streams == 0
        return verdict


@pytest.mark.slow
async def test_a_server_without_a_limit_takes_the_plugins_own_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = await measured(monkeypatch)
    assert (advised(verdict)[0], verdict.figures) == ("ok", {"speed": 4.0})


async def test_a_server_that_takes_no_more_than_real_time_is_a_warning_after_one_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verdict = await measured(monkeypatch, faults=Faults(max_pace=1.1, pace_burst_s=0.3))
    level, advice = advised(verdict)
    assert level == "warning"
    assert "catch_up_speed=1)" in advice
    assert verdict.figures == {"speed": 1.0}


@pytest.mark.slow
async def test_the_fastest_speed_that_was_taken_is_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = await measured(monkeypatch, 5.0, faults=Faults(max_pace=2.6, pace_burst_s=1.0))
    level, advice = advised(verdict)
    assert level == "warning"
    assert "catch_up_speed=2)" in advice


async def test_a_way_that_is_slower_than_real_time_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "KEEPS_UP", 100.0)
    level, advice = advised(await measured(monkeypatch, 0.5))
    assert level == "warning"
    assert "late" in advice


async def test_a_failure_for_another_reason_tells_nothing_of_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    assert advised(await measured(monkeypatch, faults=Faults(refuse=True)))[0] == "skipped"


async def test_a_refusal_before_any_audio_tells_nothing_of_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    assert advised(await measured(monkeypatch, faults=Faults(status=503)))[0] == "skipped"


@pytest.mark.parametrize("pcm", [AUDIO, AUDIO * 9, synthetic.word(0)[:700]])
def test_what_is_sent_has_no_pause_and_is_as_long_as_it_has_to_be(pcm: bytes) -> None:
    sent = np.frombuffer(pace.without_pauses(pcm), np.int16)
    assert len(sent) == round(pace.TRIED_S * 16000)
    assert sent.min() >= synthetic.FIRST

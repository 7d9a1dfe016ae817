"""The offline voice, with a stand-in for its program."""

from __future__ import annotations

import asyncio

import pytest
from espeak import SAMPLE_RATE, WAV_HEADER, EspeakTTS
from livekit.agents import APIConnectionError, APIConnectOptions
from support.waiting import until

ONCE = APIConnectOptions(max_retry=0)


def voice(script: str) -> EspeakTTS:
    made = EspeakTTS()
    made.command = ("sh", "-c", script)
    return made


async def test_it_speaks_what_the_program_writes_behind_the_header() -> None:
    speaking = voice(f"cat > /dev/null; head -c {WAV_HEADER + 2 * SAMPLE_RATE} /dev/zero")
    async with speaking.synthesize("good morning", conn_options=ONCE) as stream:
        spoken_s = sum([event.frame.duration async for event in stream])
    assert spoken_s == pytest.approx(1.0, abs=0.01)


async def test_a_program_that_has_ended_before_it_is_given_the_text_is_a_connection_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = asyncio.create_subprocess_exec

    async def started_and_over(*command: str, **pipes: int) -> asyncio.subprocess.Process:
        process = await start(*command, **pipes)  # type: ignore[arg-type]  # stdin and stdout alone
        await process.wait()
        assert process.stdin is not None
        await until(process.stdin.is_closing)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", started_and_over)
    with pytest.raises(APIConnectionError, match="espeak-ng failed"):
        async with voice("exit 3").synthesize("good morning", conn_options=ONCE) as stream:
            _ = [event async for event in stream]


@pytest.mark.parametrize("script", ["exit 3", f"head -c {WAV_HEADER + 9} /dev/zero; exit 3"])
async def test_a_program_that_fails_is_a_connection_error(script: str) -> None:
    with pytest.raises(APIConnectionError, match="espeak-ng failed"):
        async with voice(script).synthesize("good morning", conn_options=ONCE) as stream:
            _ = [event async for event in stream]

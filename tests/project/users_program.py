"""A user's program, as type checkers see it: what is wrong in it is marked, and a mark that is not needed is an error.

It is never run. `test_typing.py` has mypy and pyright read it.
"""

from __future__ import annotations

from livekit.agents import AgentSession, TurnHandlingOptions
from livekit.agents.stt import SpeechEvent
from livekit.plugins.cartesia_turns import (
    PROFILES,
    STT,
    EventName,
    SpeechStream,
    Stats,
    TokenProvider,
    TurnEndEvent,
    TurnSettings,
    TurnStartEvent,
    interrupt_on_turn_start,
    turn_handling,
)
from typing_extensions import assert_type


async def token() -> str:
    return "token"


def on_turn_end(event: TurnEndEvent) -> None:
    print(event.transcript, event.speech_end_time, [each.language for each in event.languages])


async def streams_and_options(provider: TokenProvider = token) -> None:
    async with STT(access_token=provider, keyterm="LiveKit") as stt, stt.stream(language="pt-BR") as stream:
        assert_type(stt, STT)
        assert_type(stream, SpeechStream)
        assert_type(stream.stats, Stats)
        with stt.turn_profile("digits"), stream.turn_profile(end_timeout_ms=900):
            stt.update_options(keyterm=["LiveKit", "Cartesia"], turn_end_threshold=0.2)
        async for event in stream:
            assert_type(event, SpeechEvent)
    STT(keyterm=("a", "b"), turn_end_timeout_ms=None)
    STT(keyterm=5)  # type: ignore[arg-type]
    STT(keyterms=["LiveKit"])  # type: ignore[call-arg]
    stt.update_options(turn_end_threshold="0.2")  # type: ignore[arg-type]
    assert_type(PROFILES["open"], TurnSettings)


def events(stt: STT) -> None:
    stt.on("connected", lambda event: print(event.connect_s))
    stt.on("disconnected", lambda event: print(event.code))
    stt.on("connection_error", lambda event: print(event.retry_in_s))
    stt.on("options_rejected", lambda event: print(event.keyterms))
    stt.on("turn_start", lambda event: print(event.speech_start_time))
    stt.on("turn_update", lambda event: print(event.transcript))
    stt.on("turn_eager_end", lambda event: print(event.transcript))
    stt.on("turn_resume", lambda event: print(event.transcript))
    stt.on("turn_end", lambda event: print(event.speech_end_time))
    stt.on("metrics_collected", lambda metrics: print(metrics.audio_duration))
    stt.on("error", lambda error: print(error.recoverable))
    stt.once("turn_end", lambda event: print(event.languages))
    stt.off("turn_end", stt.on("turn_end", on_turn_end))
    stt.on("turn_end", lambda: print("over"))

    @stt.on("turn_start")
    def started(event: TurnStartEvent) -> None:
        print(event.speech_start_time)

    stt.off("turn_start", started)
    name: EventName = "turn_end"
    print(name)


def mistakes_with_events(stt: STT) -> None:
    stt.on("turn_ends", print)  # type: ignore[call-overload]
    stt.on("turn_start", on_turn_end)  # type: ignore[call-overload]
    stt.once("turn_start", on_turn_end)  # type: ignore[call-overload]
    stt.on("turn_start", lambda event: print(event.transcript))  # type: ignore[call-overload]
    stt.on("turn_end", lambda event, more: None)  # type: ignore[call-overload]
    stt.on("turn_start")(on_turn_end)  # type: ignore[arg-type]


def session(stt: STT) -> AgentSession[None]:
    options = turn_handling(endpointing={"min_delay": 0.2}, interruption={"min_words": 2}, turn_detection="manual")
    assert_type(options, TurnHandlingOptions)
    turn_handling(endpointing={"min_dealy": 0.2})  # type: ignore[typeddict-unknown-key]
    turn_handling(endpointing={"min_delay": "0.2"})  # type: ignore[typeddict-item]
    turn_handling(endpointing={"mode": "fixd"})  # type: ignore[typeddict-item]
    turn_handling(endpointng={"min_delay": 0.2})  # type: ignore[call-arg]
    turn_handling(turn_detection="sst")  # type: ignore[arg-type]
    agent_session = AgentSession[None](stt=stt, vad=None, turn_handling=options)
    undo = interrupt_on_turn_start(agent_session, stt)
    undo()
    return agent_session

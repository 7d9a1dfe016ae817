"""Measures the gains in an AgentSession, as the documentation shows them: python tests/tools/bench/session_figures.py.

Each figure is the median of a few runs of a real AgentSession over a socket to the local server with a script, with an
LLM and a TTS that answer at once. For comparison it also runs livekit-plugins-cartesia, if it is installed
(`make vendors`), with the same session and the same server.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from livekit.agents import stt
from livekit.plugins.cartesia_turns import STT, interrupt_on_turn_start
from livekit.plugins.cartesia_turns.server import LocalServer
from livekit.plugins.cartesia_turns.wire.messages import TurnEnd, TurnStart
from support.conversation import QUIET, VOICED, Conversation, conversation
from support.script import START, eager_end, end, update
from support.waiting import eventually
from tools.bench.progress import parser, working_on

OFFICIAL = "livekit.plugins.cartesia"
RUNS = 5
Measure = Callable[..., Awaitable[float]]


async def spoken(talk: Conversation, text: str) -> None:
    """A second of speech with its words, a pause of 0.6 s, turn.end."""
    talk.stage.cue(START, update(text))
    await talk.microphone.speak(1.0, VOICED)
    await talk.microphone.speak(0.6, QUIET)
    talk.stage.cue(end(text))
    # A plugin that sends audio in pieces needs more than one frame.
    await talk.microphone.speak(0.2, QUIET)


async def reply_delay(**options: Any) -> float:
    """From turn.end, 0.6 s after speech stopped, to the model's call."""
    async with conversation(**options) as talk:
        await spoken(talk, "what time is it")
        await talk.answered()
        return talk.model.asked_at[0] - talk.stage.said_at[TurnEnd]


async def close_between_turns(**options: Any) -> float:
    """What closing a session takes that has heard a turn."""
    async with conversation(**options) as talk:
        await spoken(talk, "goodbye")
        await talk.answered()
        await talk.microphone.speak(1.0, QUIET)
        begun = time.time()
        await talk.session.aclose()
        return time.time() - begun


async def close_in_mid_turn(**options: Any) -> float:
    """The same in mid-turn, with a server that ends a turn after half a second of silence."""
    async with conversation(**options) as talk:
        talk.stage.cue(START, update("one more"))
        await talk.microphone.speak(0.6, VOICED)
        talk.stage.at_silence = end("one more thing")
        begun = time.time()
        await talk.session.aclose()
        return time.time() - begun


async def barge_in(*, helped: bool = False, **options: Any) -> float:
    """From turn.start to the agent's silence, where the first words come 0.5 s after it."""
    async with conversation(reply_s=20.0, **options) as talk:
        if helped:
            interrupt_on_turn_start(talk.session, talk.stt)
        talk.session.say("A long story.")
        await eventually(lambda: talk.session.agent_state == "speaking")
        await talk.microphone.speak(0.2, VOICED)
        talk.stage.cue(START)
        await talk.microphone.speak(0.5, VOICED)
        talk.stage.cue(update("stop"))
        await talk.microphone.speak(0.2, VOICED)
        await eventually(lambda: talk.speaker.paused_at or talk.speaker.stopped_at)
        return min([*talk.speaker.paused_at, *talk.speaker.stopped_at]) - talk.stage.said_at[TurnStart]


async def head_start(**options: Any) -> float:
    """From the model's call to turn.end: a whole sentence at once, turn.eager_end 0.3 s and turn.end 0.6 s later."""
    async with conversation(**options) as talk:
        talk.stage.cue(START, update("What time is it?"))
        await talk.microphone.speak(0.3, VOICED)
        talk.stage.cue(eager_end("What time is it?"))
        await talk.microphone.speak(0.3, QUIET)
        talk.stage.cue(end("What time is it?"))
        await talk.microphone.speak(0.2, QUIET)
        await talk.answered()
        return talk.stage.said_at[TurnEnd] - talk.model.asked_at[0]


async def median(measure: Measure, **options: Any) -> str:
    values = [await measure(**options) for _ in range(RUNS)]
    return f"{1000 * statistics.median(values):.0f} ms"


def theirs(_: STT, server: LocalServer) -> stt.STT[Any]:
    """The official plugin on the same server."""
    official: Any = importlib.import_module(OFFICIAL)
    plugin: stt.STT[Any] = official.STT(api_key=server.key, base_url=server.url, model="ink-2")
    return plugin


MEASURES: list[tuple[str, Measure, dict[str, Any], bool]] = [
    ("turn.end to the model's call", reply_delay, {}, True),
    ("closing a session between turns", close_between_turns, {}, True),
    ("closing a session in mid-turn", close_in_mid_turn, {}, True),
    ("turn.start to the agent's silence", barge_in, {}, True),
    ("turn.start to the agent's silence with interrupt_on_turn_start", barge_in, {"helped": True}, False),
    ("head start of the reply over turn.end", head_start, {}, True),
    (
        "head start of the reply over turn.end with early_preflight=1",
        head_start,
        {"stt_options": {"early_preflight": 1}},
        False,
    ),
]
"""Its name, what measures it and how, and whether the official plugin has the like of it."""


async def main() -> None:
    logging.disable(logging.CRITICAL)
    peer = {"wrap": theirs} if importlib.util.find_spec(OFFICIAL) else None
    print("| what | this plugin | livekit-plugins-cartesia |\n| --- | --- | --- |")
    for number, (name, measure, options, has_peer) in enumerate(MEASURES):
        working_on(name, number, len(MEASURES))
        other = await median(measure, **peer, **options) if peer and has_peer else "-"
        print(f"| {name} | {await median(measure, **options)} | {other} |", flush=True)


if __name__ == "__main__":
    parser(__doc__).parse_args()
    asyncio.run(main())

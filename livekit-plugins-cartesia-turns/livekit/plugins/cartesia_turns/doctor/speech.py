"""A recording spoken to the server in real time, through the plugin, as a caller would: its words and its delays."""

from __future__ import annotations

import asyncio
import math
import re
import time

from livekit.agents import APIError

from ..audio import PcmConverter
from ..events import TurnEndEvent, TurnStartEvent, TurnUpdateEvent
from ..wire.options import complete
from ..wire.vendor import TURN_DEFAULTS
from .calls import Call, Server, Told, frame
from .handshake import NO_ANSWER, said
from .recording import Recording
from .verdict import Verdict, ok, printable, problem, skipped, warning

RATE = 16000
FRAME_S = 0.02
SPOKEN_S = 15.0
"""How much of the recording is spoken."""
MORE_S = 2.0
"""How much later than its end timeout a turn may end, because of the way to the server and back."""
NO_TURN_S = 1.0
"""How long to wait for another turn after the speech, while no turn is open."""
LATE_END_S = 1.2
"""An end of turn that comes later than this after the speech makes the agent seem slow."""
HALF = 0.5
"""The part of the sample's words that must be heard."""
WORDS, DELAY = "words", "end of turn"


async def check(server: Server, recording: Recording) -> list[Verdict]:
    """Speaks the recording, then stays silent until its turns are over."""
    pcm = as_sent(recording)[: round(SPOKEN_S * RATE) * 2]
    async with Call(server.stt(), server.timeout_s) as call:
        if not await call.connect():
            why = said(call.trouble) if call.trouble else NO_ANSWER
            return [
                problem(WORDS, why, "See the verdict on the handshake."),
                skipped(DELAY, "There was no turn."),
            ]
        began = time.monotonic()
        await _speak(call, pcm)
        return judge(call.told, call.trouble, began, recording.text)


def as_sent(recording: Recording) -> bytes:
    """The recording as it goes to the server: 16-bit PCM at RATE, mono."""
    converter = PcmConverter(RATE)
    pieces = converter.push(frame(recording.mono.tobytes(), recording.sample_rate))
    return b"".join([*pieces, *converter.flush()])


async def _speak(call: Call, pcm: bytes) -> None:
    """Pushes audio frame by frame at the pace of real time; behind it silence, as from a microphone that stays on."""
    size = round(RATE * FRAME_S) * 2
    spoken, most = math.ceil(len(pcm) / size), math.ceil((len(pcm) / 2 / RATE + _longest_wait_s()) / FRAME_S)
    began = time.monotonic()
    for number in range(most):
        piece = pcm[number * size : (number + 1) * size].ljust(size, b"\0")
        call.push(piece, RATE)
        await asyncio.sleep(max(0.0, began + (number + 1) * FRAME_S - time.monotonic()))
        if call.is_over or (number > spoken and _is_done(call, (number - spoken) * FRAME_S)):
            return


def _longest_wait_s() -> float:
    return complete(TURN_DEFAULTS[0].value).end_timeout_ms / 1000 + MORE_S


def _is_done(call: Call, silent_s: float) -> bool:
    starts, ends = call.all(TurnStartEvent), call.all(TurnEndEvent)
    return bool(ends) and len(ends) >= len(starts) and silent_s >= NO_TURN_S


def judge(told: list[Told], trouble: APIError | None, began: float, text: str = "") -> list[Verdict]:
    """What the events of a call say of it.

    Args:
        told: the events.
        trouble: what went wrong with the connection.
        began: when the first audio was pushed, in monotonic seconds.
        text: what was said, where that is known.
    """
    ends = [(item, item.event) for item in told if isinstance(item.event, TurnEndEvent)]
    heard = " ".join(event.transcript.strip() for _, event in ends if event.transcript.strip())
    delays = [item.at_wall - event.speech_end_time for item, event in ends if event.speech_end_time is not None]
    started = any(isinstance(item.event, TurnStartEvent) for item in told)
    if trouble is not None:
        advice = "Try again. If it happens repeatedly, the network or the server is the reason."
        return [problem(WORDS, f"The connection broke while audio was sent. {said(trouble)}", advice), _delay(delays)]
    if not heard:
        return [_nothing_heard(started=started), _delay(delays)]
    first = next(item.at for item in told if isinstance(item.event, TurnUpdateEvent | TurnEndEvent))
    return [_words(heard, text, first - began, len(ends)), _delay(delays)]


def _nothing_heard(*, started: bool) -> Verdict:
    if started:
        what = "The server detected speech, but no words."
        return problem(WORDS, what, "Check the model's languages, and the recording's sample rate.")
    what = "The server detected no speech."
    return problem(
        WORDS, what, "Check that there is speech in the recording: loud enough, and at the right sample rate."
    )


def _words(heard: str, text: str, first_s: float, turns: int) -> Verdict:
    shown = f'Heard in {turns} turn{"s" if turns > 1 else ""}: "{printable(heard)}".'
    if text and _part_heard(text, heard) < HALF:
        what = f'{shown} What was said: "{text}"'
        return warning(WORDS, what, "Check that the model supports English.", first_words_s=first_s, turns=turns)
    return ok(
        WORDS,
        f"{shown} The first words came {first_s:.1f} s after the audio began.",
        first_words_s=first_s,
        turns=turns,
    )


def _part_heard(said_text: str, heard: str) -> float:
    words, found = _plain(said_text), set(_plain(heard))
    return sum(word in found for word in words) / len(words)


def _plain(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def _delay(delays: list[float]) -> Verdict:
    if not delays:
        return skipped(DELAY, "The server did not end a turn.")
    last_s = max(delays)
    what = f"A turn ended {last_s:.2f} s after the end of speech."
    if last_s > LATE_END_S:
        advice = "Raise turn_end_threshold or lower turn_end_timeout_ms. A busy server can also be the reason."
        return warning(DELAY, f"{what} More than {LATE_END_S} s makes an agent seem slow.", advice, delay_s=last_s)
    return ok(DELAY, what, delay_s=last_s)

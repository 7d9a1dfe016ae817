"""Reads the lines of `steps` in `call.jsonl`, which tell what comes with each frame and each text."""

from __future__ import annotations

import itertools
import math
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from struct import unpack
from typing import TypeGuard

from ..core.events import ClientEvent, Kind, TurnEvent
from ..wire.messages import ServerMessage, TurnMessage, TurnUpdate
from .letters import (
    ANSWERED,
    CAME,
    HEARD,
    LIVE,
    NOTED,
    OFFERED,
    PING_SENT,
    PINGED,
    PUSHED,
    SENT,
    SILENCE,
    SPOKE,
    TOLD,
    TOLD_OF,
    UPDATED,
)
from .schema import Fields, event_to, message_to, told_to

APART = frozenset({NOTED, UPDATED, CAME, HEARD, TOLD, SPOKE})
"""These letters stand for lines of their own."""
_KINDS = {f"turn.{kind.value}": kind for kind in Kind}
"""The kind of the event by the type of its message."""
SPEECH_START, SPEECH_END, AUDIO_S = "speech_start_time", "speech_end_time", "audio_s"
"""What the numbers of SPOKE are: times of the speech event, and the audio of its usage."""


@dataclass(frozen=True, slots=True)
class Step:
    """One of the calls that come with each frame: its letter (see `letters.STEPS`) and its monotonic time.

    `pushed` is how many bytes of audio were pushed. `sent` is the start of the audio that went out, its number of
    samples, and whether it is silence of the client's own. `pong` is the payload of a pong.
    """

    letter: str
    at: float
    pushed: int = 0
    sent: tuple[int, int, bool] | None = None
    pong: bytes | None = None
    update: tuple[str, str, str] = ("", "", "")
    """The request id, the turn id and the text of UPDATED."""
    heard: tuple[float, ...] = ()
    """The numbers of HEARD or SPOKE."""
    language: str = ""
    """The label of TOLD or SPOKE."""
    kind: str = ""
    """The type of SPOKE."""


def says_only(event: ClientEvent, message: ServerMessage) -> TypeGuard[TurnEvent]:
    """Whether an event says what a message does and no more, so that CAME stands for it, or HEARD if it has `at`."""
    return (
        isinstance(event, TurnEvent)
        and isinstance(message, TurnMessage)
        and event.kind is _KINDS.get(message.TYPE)
        and event.transcript == getattr(message, "transcript", "")
        and event.turn_id == message.turn_id
        and event.request_id == message.request_id
        and not event.languages
        and (event.at is not None or not event.usage_s)
    )


def steps_of(line: Fields) -> Iterator[Step]:
    """What a line of `steps` stands for. In lines that are `unfolded`, these are calls alone."""
    pushed = iter(line.get("pushed", ()))
    if len(line.get("pushed", ())) == 1:
        pushed = itertools.repeat(next(pushed))
    sent, silent, offered = iter(line.get("sent", ())), set(line.get("silent", ())), itertools.count()
    updates, speech = iter(line.get("updates", ())), iter(line.get("speech") or line.get("languages") or ())
    pongs = iter(pongs.split(",") if isinstance(pongs := line.get("pongs", ()), str) else pongs)
    heard = iter(_unpacked(line.get("heard", "")))
    for letter, at in zip(line["steps"], _times_of(line), strict=True):
        if letter in (LIVE, PUSHED):
            yield Step(letter, at, pushed=next(pushed))
        elif letter in (OFFERED, SILENCE):
            is_silence = next(offered) in silent or letter == SILENCE
            yield Step(OFFERED, at, sent=(next(sent), next(sent) // 2, is_silence))
        elif letter == ANSWERED:
            yield Step(letter, at, pong=str(next(pongs)).encode("latin-1"))
        elif letter == UPDATED:
            yield Step(letter, at, update=(next(updates), next(updates), next(updates)))
        elif letter == HEARD:
            yield Step(letter, at, heard=(next(heard), next(heard)))
        elif letter == SPOKE:
            numbers = next(heard), next(heard), next(heard)
            yield Step(letter, at, heard=numbers, language=next(speech), kind=next(speech))
        elif letter == PING_SENT:
            yield from (Step(PINGED, at), Step(SENT, at))
        else:
            yield Step(letter, at, language=next(speech) if letter == TOLD else "")


def unfolded(lines: Iterable[Fields]) -> Iterator[Fields]:
    """The lines in the order in which things happened, with a line for each message, event and speech event.

    Of a file that ends too early, because the process was killed, it returns what is whole.
    """
    rest = iter(lines)
    said: Fields = {"type": TurnUpdate.TYPE}
    updated = said
    for line in rest:
        if "steps" not in line:
            said = _said(line) or said
            yield line
            continue
        for is_apart, steps in itertools.groupby(steps_of(line), lambda step: step.letter in APART):
            if not is_apart:
                yield _line_of([*steps])
                continue
            for step in steps:
                # In schema 2, TOLD is the text of the last UPDATED, whatever came in between.
                is_old = step.letter == TOLD and "languages" in line
                known = next(rest, None) if step.letter == NOTED else _told(step, updated if is_old else said)
                if known is None:
                    return
                said = _said(known) or said
                updated = said if step.letter == UPDATED else updated
                yield {"at": step.at, **known}


def _line_of(steps: list[Step]) -> Fields:
    """The calls as one line, each with its own length of audio, so that any part of a call can be read by itself."""
    line: Fields = {
        "at": steps[0].at,
        "steps": "".join(step.letter for step in steps),
        "times": [step.at for step in steps],
    }
    sent = [step.sent for step in steps if step.sent is not None]
    columns: dict[str, list[object]] = {
        "pushed": [step.pushed for step in steps if step.letter in (LIVE, PUSHED)],
        "sent": [value for start, samples, _ in sent for value in (start, 2 * samples)],
        "silent": [nth for nth, (_, _, is_silence) in enumerate(sent) if is_silence],
        "pongs": [step.pong.decode("latin-1") for step in steps if step.pong is not None],
    }
    return line | {name: column for name, column in columns.items() if column}


def _said(line: Fields) -> Fields | None:
    """The message about a turn that a line tells of, if it does."""
    return line["message"] if line.get("call") == "receive" and line["message"]["type"] in _KINDS else None


def _told(step: Step, said: Fields) -> Fields:
    """A message with new text, the client's event of the last message, or what the framework was told of that."""
    if step.letter == UPDATED:
        request_id, turn_id, text = step.update
        return {"call": "receive", "message": message_to(TurnUpdate(request_id, text, turn_id))}
    request_id, turn_id, text = (said.get(name, "") for name in ("request_id", "turn_id", "transcript"))
    if step.letter == TOLD:
        return told_to(TOLD_OF.get(said["type"], ""), request_id, text, step.language)
    if step.letter == SPOKE:
        told = told_to(step.kind, request_id, *((text, step.language) if step.language else ()))
        return told | {
            name: number
            for name, number in zip((SPEECH_START, SPEECH_END, AUDIO_S), step.heard, strict=True)
            if not math.isnan(number)
        }
    at, usage_s = step.heard or (None, 0.0)
    return {"events": [event_to(TurnEvent(_KINDS[said["type"]], text, turn_id, (), request_id, at, usage_s))]}


def _times_of(line: Fields) -> Sequence[float]:
    """When each of the steps was made."""
    steps, times = line["steps"], line["times"]
    times = _unpacked(times) if isinstance(times, str) else list(times)
    if len(times) == len(steps):
        return times
    # In schema 2, each line of NOTED tells its time itself.
    if len(times) != len(steps) - steps.count(NOTED):
        raise ValueError("not a time for each step")
    rest, at = iter(times), line["at"]
    return [at := at if letter == NOTED else next(rest) for letter in steps]


def _unpacked(written: str) -> Sequence[float]:
    data = b64decode(written)
    return unpack(f"<{len(data) // 8}d", data)

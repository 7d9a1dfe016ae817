"""Reads the lines of `steps` in `call.jsonl`, which tell what comes with each frame and each text."""

from __future__ import annotations

import itertools
from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from struct import unpack
from typing import TypeGuard

from ..core.events import ClientEvent, Kind, TurnEvent
from ..wire.messages import TurnUpdate
from .schema import (
    ANSWERED,
    CAME,
    LIVE,
    NOTED,
    OFFERED,
    PUSHED,
    SILENCE,
    TOLD,
    UPDATED,
    Fields,
    event_to,
    message_to,
    told_to,
)

APART = frozenset({NOTED, UPDATED, CAME, TOLD})
"""These letters stand for lines of their own."""


@dataclass(frozen=True, slots=True)
class Step:
    """One of the calls that come with each frame: its letter (see `schema.STEPS`) and its monotonic time.

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
    language: str = ""
    """The label of TOLD."""


def says_only(event: ClientEvent, update: TurnUpdate) -> TypeGuard[TurnEvent]:
    """Whether an event says what a message without languages does, and no more, so that CAME stands for it."""
    return (
        isinstance(event, TurnEvent)
        and event.kind is Kind.UPDATE
        and event.transcript == update.transcript
        and event.turn_id == update.turn_id
        and event.request_id == update.request_id
        and not (event.languages or event.at or event.usage_s)
    )


def steps_of(line: Fields) -> Iterator[Step]:
    """What a line of `steps` stands for. In lines that are `unfolded`, these are calls alone."""
    times, at = iter(_times_of(line)), float(line["at"])
    pushed = iter(line.get("pushed", ()))
    if len(line.get("pushed", ())) == 1:
        pushed = itertools.repeat(next(pushed))
    sent, silent, offered = iter(line.get("sent", ())), set(line.get("silent", ())), itertools.count()
    pongs, updates, languages = (iter(line.get(name, ())) for name in ("pongs", "updates", "languages"))
    for letter in line["steps"]:
        at = at if letter == NOTED else next(times)
        if letter in (LIVE, PUSHED):
            yield Step(letter, at, pushed=next(pushed))
        elif letter in (OFFERED, SILENCE):
            is_silence = next(offered) in silent or letter == SILENCE
            yield Step(OFFERED, at, sent=(next(sent), next(sent) // 2, is_silence))
        elif letter == ANSWERED:
            yield Step(letter, at, pong=str(next(pongs)).encode("latin-1"))
        elif letter == UPDATED:
            yield Step(letter, at, update=(next(updates), next(updates), next(updates)))
        else:
            yield Step(letter, at, language=next(languages) if letter == TOLD else "")


def unfolded(lines: Iterable[Fields]) -> Iterator[Fields]:
    """The lines in the order in which things happened, with a line for each message, event and speech event.

    Of a file that ends too early, because the process was killed, it returns what is whole.
    """
    rest = iter(lines)
    update = ("", "", "")
    for line in rest:
        if "steps" not in line:
            yield line
            continue
        for is_apart, steps in itertools.groupby(steps_of(line), lambda step: step.letter in APART):
            if not is_apart:
                yield _line_of([*steps])
                continue
            for step in steps:
                update = step.update if step.letter == UPDATED else update
                known = next(rest, None) if step.letter == NOTED else _told(step, *update)
                if known is None:
                    return
                yield known


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


def _told(step: Step, request_id: str, turn_id: str, text: str) -> Fields:
    """The line of a message with new text, of the client's event of it, or of what the framework was told of it."""
    if step.letter == UPDATED:
        return {"at": step.at, "call": "receive", "message": message_to(TurnUpdate(request_id, text, turn_id))}
    if step.letter == CAME:
        return {"at": step.at, "events": [event_to(TurnEvent(Kind.UPDATE, text, turn_id, request_id=request_id))]}
    return {"at": step.at, **told_to("interim_transcript", request_id, text, step.language)}


def _times_of(line: Fields) -> Iterable[float]:
    """When each of the steps was made."""
    times, count = line["times"], len(line["steps"]) - line["steps"].count(NOTED)
    if isinstance(times, str):
        return unpack(f"<{count}d", b64decode(times))
    if len(times) != count:
        raise ValueError("not a time for each step")
    return list(times)

"""The format of `call.jsonl`, the record of one stream: one JSON object a line.

The first line describes the call: `schema` (SCHEMA), `versions`, `started` (wall clock, seconds since 1970), `at`
(monotonic seconds; all other times are on that clock), `options` (of the first socket), `limits` of the client, and
whether `audio` and `transcripts` are kept. Each other line has `at` and one of these:

    call      the shell called the client: the method's name, and the arguments by name
    steps     many calls that repeat with each frame, as one letter each (STEPS); `times` are their times as float64,
              little endian, in base64; `pushed` has the bytes of each push, `sent` the first sample and the bytes of
              each piece of audio that was offered to the socket, `silent` which of these are silence of the client's
              own, `pongs` the numbers of the pings that were answered
    events    the client's events: turns (`heard_at` is when speech began or ended), notices, rejected options,
              flushes, and how much audio was sent
    told      a speech event that the framework got
    announced one of the STT's own events about sockets and options
    stats     the counters that are not 0
    end       the stream is over

Numbers that JSON can't write are the texts "inf", "-inf" and "nan". A replay needs only the calls and their times. A
reader ignores lines and fields that it does not know. SCHEMA changes if a reader can't do that.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeAlias

from ..core.changes import Rejected
from ..core.chunk import Chunk
from ..core.events import ClientEvent, Flushed, Notice, TurnEvent, Usage
from ..core.limits import Limits
from ..core.link import Outgoing, Ping
from ..core.stats import Stats
from ..wire.messages import Config, DetectedLanguage, ErrorMessage, ServerMessage, TurnSettings, TurnUpdate
from ..wire.options import Options
from ..wire.protocol import error_from_fields, parse, serialize

SCHEMA = 1
"""The version of the files. It changes when a reader of the version before would misread them."""

LIVE, BOOKED, PUSHED, ASKED, OFFERED, PINGED, SENT, ANSWERED, TICKED = "lbpoaisgt"
STEPS = {
    LIVE: "live.take, which let the audio out",
    BOOKED: "live_sent",
    PUSHED: "push_audio",
    ASKED: "outgoing, with nothing to send",
    OFFERED: "outgoing, with audio to send",
    PINGED: "outgoing, with a ping to send",
    SENT: "sent, the audio or the ping before it",
    ANSWERED: "pong",
    TICKED: "tick",
}
"""The letters of `steps`."""
TEXTS = frozenset({"transcript", "text", "keyterms", "message", "title"})
"""Fields that may contain words of a call. A server's error may quote a key term."""

Fields: TypeAlias = dict[str, Any]
"""A JSON object."""


class SchemaError(ValueError):
    """A recording can't be read. The text says what is wrong with it."""


def number_to(value: float | None) -> float | str | None:
    """A number as JSON can write it."""
    return value if value is None or math.isfinite(value) else str(value)


def number_of(value: float | str | None) -> float:
    """The number that `number_to` wrote."""
    return math.inf if value is None else float(value)


def masked(text: str) -> str:
    """The text with an x for each letter and digit, so that its length and shape stay but not its words."""
    return "".join("x" if unicodedata.category(character)[0] in "LMN" else character for character in text)


def options_to(options: Options) -> Fields:
    """Options as JSON."""
    return {
        "model": options.model,
        "sample_rate": options.sample_rate,
        "turn": _turn_to(options.turn),
        "keyterms": list(options.keyterms),
        "language_hints": list(options.language_hints),
    }


def options_of(written: Mapping[str, Any]) -> Options:
    """The options that `options_to` wrote."""
    return Options(
        written["model"],
        written["sample_rate"],
        TurnSettings(**written["turn"]),
        tuple(written["keyterms"]),
        tuple(written["language_hints"]),
    )


def limits_to(limits: Limits) -> Fields:
    """Limits as JSON."""
    return {field.name: number_to(getattr(limits, field.name)) for field in fields(Limits)}


def limits_of(written: Mapping[str, Any]) -> Limits:
    """The limits that `limits_to` wrote; one that is missing has its default."""
    names = {field.name for field in fields(Limits)}
    given = {name: float(value) if isinstance(value, str) else value for name, value in written.items()}
    return Limits(**{name: value for name, value in given.items() if name in names})  # type: ignore[arg-type]  # by name


def message_to(message: ServerMessage) -> Fields:
    """A message of the server as it is written on the wire; of an unknown one only the type."""
    if isinstance(message, TurnUpdate):
        # These are nearly all messages of a call, and this is ten times as fast.
        return _update_to(message)
    written: Fields = json.loads(serialize(message))
    return written


def message_of(written: Mapping[str, Any]) -> ServerMessage:
    """The message that `message_to` wrote."""
    return parse(json.dumps(written))


def error_to(error: ErrorMessage | None) -> Fields | None:
    """The server's error as JSON; None if there was none."""
    return None if error is None else message_to(error)


def error_of(written: Fields | None) -> ErrorMessage | None:
    """The error that `error_to` wrote."""
    return None if written is None else error_from_fields(written)


def item_to(item: Outgoing) -> Fields:
    """What was given to the socket, as JSON; of audio only its place in the call."""
    if isinstance(item, Chunk):
        return {"type": "audio", "start": item.start, "samples": item.samples, "silence": item.injected}
    if isinstance(item, Ping):
        return {"type": "ping"}
    written: Fields = json.loads(serialize(item))
    return written


def event_to(event: ClientEvent) -> Fields:
    """An event of the client as JSON, so that two of them can be compared."""
    if isinstance(event, TurnEvent):
        written: Fields = {"event": event.kind.value, "transcript": event.transcript, "turn_id": event.turn_id}
        if event.request_id:
            written["request_id"] = event.request_id
        if event.at:
            written["heard_at"] = event.at
        if event.usage_s:
            written["usage_s"] = event.usage_s
        if event.languages:
            written["languages"] = [
                {"language": heard.language, "confidence": heard.confidence} for heard in event.languages
            ]
        return written
    if isinstance(event, Notice):
        return {"event": "notice", "notice": event.name.lower()}
    if isinstance(event, Rejected):
        return {"event": "rejected", "change": _config_to(event.change), "error": error_to(event.error)}
    if isinstance(event, Usage):
        return {"event": "usage", "seconds": event.seconds}
    return _flushed_to(event)


def stats_to(stats: Stats) -> Fields:
    """The counters that are not 0, as JSON."""
    counted = {field.name: getattr(stats, field.name) for field in fields(Stats)}
    return {name: value for name, value in counted.items() if value}


def without_words(written: Any, *, is_text: bool = False) -> Any:
    """A JSON value with all fields masked that may contain words of a call (TEXTS), however deep they are."""
    if isinstance(written, dict):
        return {name: without_words(value, is_text=name in TEXTS) for name, value in written.items()}
    if isinstance(written, list):
        return [without_words(item, is_text=is_text) for item in written]
    return masked(written) if is_text and isinstance(written, str) else written


def _turn_to(turn: TurnSettings) -> Fields:
    given = {name: getattr(turn, name) for name in TurnSettings.__slots__}
    return {name: value for name, value in given.items() if value is not None}


def _update_to(update: TurnUpdate) -> Fields:
    written: Fields = {"type": update.TYPE, "request_id": update.request_id, "transcript": update.transcript}
    if update.turn_id:
        written["turn_id"] = update.turn_id
    if update.languages:
        written["languages"] = [_language_to(language) for language in update.languages]
    return written


def _language_to(language: DetectedLanguage) -> Fields:
    more = {} if language.confidence is None else {"confidence": language.confidence}
    return {"language": language.language, **more}


def _config_to(config: Config) -> Fields:
    written: Fields = json.loads(serialize(config))
    return written


def _flushed_to(_: Flushed) -> Fields:
    return {"event": "flushed"}

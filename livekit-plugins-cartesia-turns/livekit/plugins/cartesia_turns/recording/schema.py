"""The format of `call.jsonl`, the record of one stream: one JSON object a line.

The first line describes the call: `schema` (SCHEMA), `versions`, `started` (wall clock, seconds since 1970), `at`
(monotonic seconds; all other times are on that clock), `options` (of the first socket), `limits` of the client, and
whether `audio` and `transcripts` are kept. Each other line has one of these:

    steps     what happened up to the next line of this kind, in columns (see `letters`). Lines of other kinds that
              belong in between follow it
    call      the shell called the client: the method's name, and the arguments by name
    events    the client's events: turns (`heard_at` is when speech began or ended), notices, rejected options,
              flushes, and how much audio was sent
    told      a speech event that the framework got
    announced one of the STT's own events about sockets and options
    stats     the counters that are not 0, every half minute while something happens
    end       the stream is over

A line whose place and time are in a line of `steps` has no `at`.

Numbers that JSON can't write are the texts "inf", "-inf" and "nan". A replay needs only the calls and their times. A
reader ignores lines and fields that it does not know. SCHEMA changes if a reader can't do that.

In schema 2, all lines have `at`. In schema 1, each message, event and speech event has a line of its own, and the lines
stand in the order in which things happened.
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
from ..core.events import ClientEvent, Notice, TurnEvent, Usage
from ..core.link import Outgoing, Ping
from ..core.requests import Limits
from ..core.stats import Stats
from ..wire.messages import (
    Config,
    DetectedLanguage,
    ErrorMessage,
    ServerMessage,
    SpokenMessage,
    TurnMessage,
    TurnSettings,
)
from ..wire.options import Options
from ..wire.protocol import error_from_fields, parse, serialize

SCHEMA = 3
"""The version of the files. It changes when a reader of the version before would misread them."""
SCHEMAS = (1, 2, SCHEMA)
"""The versions that can be read."""

TEXTS = frozenset({"transcript", "text", "keyterms", "message", "title"})
"""Fields that may contain words of a call. A server's error may quote a key term."""

Fields: TypeAlias = dict[str, Any]
"""A JSON object."""


_COUNTERS = tuple(field.name for field in fields(Stats))


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
    if isinstance(message, TurnMessage):
        # These are nearly all messages of a call, and this is ten times as fast.
        return _turn_message_to(message)
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
    return {"event": "flushed"}


def told_to(kind: str, request_id: str, text: str | None = None, language: str | None = None) -> Fields:
    """A speech event that the framework got, as JSON: its type, and its text with the label if it has one."""
    told: Fields = {"told": kind, "request_id": request_id}
    if text is not None:
        told["text"], told["language"] = text, language
    return told


def stats_to(stats: Stats) -> Fields:
    """The counters that are not 0, as JSON."""
    counted = {name: getattr(stats, name) for name in _COUNTERS}
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


def _turn_message_to(message: TurnMessage) -> Fields:
    written: Fields = {"type": message.TYPE, "request_id": message.request_id}
    if isinstance(message, SpokenMessage):
        written["transcript"] = message.transcript
    if message.turn_id:
        written["turn_id"] = message.turn_id
    if isinstance(message, SpokenMessage) and message.languages:
        written["languages"] = [_language_to(language) for language in message.languages]
    return written


def _language_to(language: DetectedLanguage) -> Fields:
    more = {} if language.confidence is None else {"confidence": language.confidence}
    return {"language": language.language, **more}


def _config_to(config: Config) -> Fields:
    written: Fields = json.loads(serialize(config))
    return written

"""Scripted dialogues: at this audio time, send this. No model, no chance."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from ..wire.messages import Connected, ServerMessage, TurnEnd, TurnSettings, TurnStart, Unknown
from ..wire.protocol import serialize
from .connection import ConnectionRecord, Frame
from .dialogue import turn_id
from .handshake import StreamRequest

TYPES = sorted(message.TYPE for message in get_args(ServerMessage) if message is not Unknown)
"""The types of the protocol's messages."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a script: the message `send`, and the time `at_s` to send it, in seconds of the connection's audio.

    `send` is a str or bytes, which is sent unchanged, or a message as a mapping. The server adds fields that the
    mapping leaves out: the connection's `request_id`, the `turn_id` in messages of a turn, and the `languages` in a
    turn.end of a model that reports languages (the first language hint, or English).
    """

    at_s: float
    send: Mapping[str, object] | Frame


def say(at_s: float, message: ServerMessage) -> Line:
    """A line that sends this message. An empty request_id is replaced by that of the connection."""
    fields = json.loads(serialize(message))
    return Line(at_s, {name: value for name, value in fields.items() if (name, value) != ("request_id", "")})


class Script:
    """The messages for one connection, in order of time. The server sends `connected` before them.

    Args:
        lines: the lines, in any order. Lines with the same time keep their order.
        flush_on_close: send the remaining lines when the client sends `close`.

    Raises:
        ValueError: a line's time is invalid, or the protocol has no message of its type.
    """

    def __init__(self, lines: Iterable[Line], *, flush_on_close: bool = True) -> None:
        self.lines: tuple[Line, ...] = tuple(sorted(map(_checked, lines), key=lambda line: line.at_s))
        self.flush_on_close = flush_on_close

    @classmethod
    def load(cls, path: str | Path) -> Script:
        r"""Reads JSON lines: `{"at": 1.5, "send": {"type": "turn.start"}}`.

        A string instead of the message is sent as it is.

        Raises:
            OSError: the file can't be read.
            ValueError: the file is empty, or a line is invalid. The text names the file and the line.
        """
        with Path(path).open(encoding="utf-8-sig", errors="replace") as file:
            rows = [(number, text) for number, text in enumerate(file, 1) if text.strip()]
        if not rows:
            raise ValueError(f"{path}: the script is empty")
        return cls([_line(f"{path}, line {number}", text) for number, text in rows])

    @classmethod
    def of(cls, record: ConnectionRecord) -> Script:
        """A script with the messages of a recorded connection, except `connected`."""
        frames = ((at_s, frame) for at_s, frame in record.messages if isinstance(frame, str))
        messages = ((at_s, json.loads(frame)) for at_s, frame in frames)
        return cls(
            Line(at_s, {name: value for name, value in message.items() if name not in {"request_id", "turn_id"}})
            for at_s, message in messages
            if message["type"] != Connected.TYPE
        )

    def save(self, path: str | Path) -> None:
        """Writes a file for `load`.

        Raises:
            ValueError: a line sends bytes, which JSON can't hold.
        """
        if any(isinstance(line.send, bytes) for line in self.lines):
            raise ValueError("a script that sends bytes can't be saved: JSON has no bytes")
        rows = (json.dumps({"at": line.at_s, "send": line.send}) for line in self.lines)
        Path(path).write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


class Scripts:
    """Makes the responder of each connection: the first gets the first script; the last script repeats."""

    def __init__(self, scripts: Script | Sequence[Script]) -> None:
        self._scripts = [scripts] if isinstance(scripts, Script) else list(scripts)
        if not self._scripts:
            raise ValueError("script is empty: at least one is needed")
        self._next = 0

    def __call__(self, stream: StreamRequest) -> ScriptedResponder:
        """The responder of the next connection."""
        script = self._scripts[min(self._next, len(self._scripts) - 1)]
        self._next += 1
        return ScriptedResponder(script, stream)


class ScriptedResponder:
    """Plays a script to one connection, whatever its settings."""

    def __init__(self, script: Script, stream: StreamRequest) -> None:
        self._script = script
        self._stream = stream
        self._heard_bytes = 0
        self._sent = 0
        self._turns = 0
        self._in_turn = False

    async def hear(self, pcm: bytes) -> AsyncIterator[Frame]:
        """Yields the lines whose time has come."""
        self._heard_bytes += len(pcm)
        now_s = self._heard_bytes / self._stream.bytes_per_second
        while self._sent < len(self._script.lines) and self._script.lines[self._sent].at_s <= now_s:
            yield self._next_frame()

    def configure(self, turn: TurnSettings) -> None:
        """Changes nothing: the script is what it is."""

    async def finish(self) -> AsyncIterator[Frame]:
        """Yields what is left, where the script says so."""
        while self._script.flush_on_close and self._sent < len(self._script.lines):
            yield self._next_frame()

    def close(self) -> None:
        """Holds nothing."""

    def _next_frame(self) -> Frame:
        send = self._script.lines[self._sent].send
        self._sent += 1
        return send if isinstance(send, (str, bytes)) else json.dumps({**self._common_fields(send), **send})

    def _common_fields(self, message: Mapping[str, object]) -> dict[str, object]:
        """What the server itself adds to such a message."""
        fields: dict[str, object] = {"request_id": self._stream.request_id}
        kind = message.get("type")
        if isinstance(kind, str) and kind.startswith("turn."):
            # Which turn a second start in mid-turn means is left open, so it gets no id of its own.
            # Without a turn.start, text behind a turn.end is about the same turn.
            self._turns += not self._in_turn and (kind == TurnStart.TYPE or not self._turns)
            self._in_turn = kind != TurnEnd.TYPE
            fields["turn_id"] = turn_id(self._stream.request_id, self._turns)
        if kind == TurnEnd.TYPE and self._stream.tells_languages:
            code = next(iter(self._stream.language_hints), "en")
            fields["languages"] = [{"language": code, "confidence": 1.0}]
        return fields


def _line(where: str, text: str) -> Line:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{where}: not JSON") from None
    if not isinstance(row, dict) or not isinstance(row.get("send"), (dict, str)):
        raise ValueError(f'{where}: it must be {{"at": seconds, "send": message or string}}')
    at_s = row.get("at")
    if isinstance(at_s, bool) or not isinstance(at_s, (int, float)):
        raise ValueError(f'{where}: it needs "at": seconds of audio')
    try:
        return _checked(Line(float(at_s), row["send"]))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{where}: {error}") from None


def _checked(line: Line) -> Line:
    if not 0 <= line.at_s < math.inf:
        raise ValueError(f"{line.at_s} is not a time: it must be seconds of audio from 0 on")
    if isinstance(line.send, (str, bytes)) or line.send.get("type") in TYPES:
        return line
    raise ValueError(
        f"{line.send.get('type')!r} is not the type of a message: it must be one of {', '.join(TYPES)}."
        " A string is sent unchanged."
    )

"""Finds damage in a recording before anybody relies on it: a line that lacks a part, or has it in another form.

Lines and fields that are not known are none, since a newer version may write them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import fields

from ..core.requests import Limits
from .letters import NOTED, SPOKE
from .schema import Fields, SchemaError, error_of, limits_of, message_of, number_of, options_of
from .steps import Step, steps_of

LONGEST_CALL_S = 30 * 86_400.0
"""A time that is so far from the start of the call, in seconds, is none."""
MOST = 10**16
"""A greater number is none of a call. Its counts and the numbers of its pings have at most 16 digits."""
_WRONG = (LookupError, TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError, struct.error)
"""What reading something in another form raises. An iterator that has too few values raises RuntimeError, and a number
that is too large for a float OverflowError."""


def check_header(header: Fields) -> None:
    """Checks the first line.

    Raises:
        SchemaError: it is damaged.
    """
    try:
        _check_limits(limits_of(header["limits"]))
        _check_options(header["options"])
        _number(header["at"])
        _number(header.get("started", 0.0))
        header.get("versions", {}).items()
    except _WRONG:
        raise SchemaError("the first line is damaged") from None


def check_lines(lines: list[Fields], started_at: float) -> None:
    """Checks the other lines.

    Args:
        lines: all of them.
        started_at: when the call began, in monotonic seconds.

    Raises:
        SchemaError: one is damaged; the text says which.
    """
    number, noted = 1, 0
    try:
        for number, line in enumerate(lines, 2):  # noqa: B007  # the error names it
            _check_line(line)
            if "at" in line or not noted:
                _check_time(line["at"], started_at)
            if noted:
                # Its place and its time are in the line of steps before it.
                _check_is_noted(line)
                noted -= 1
            elif "steps" in line:
                steps = [*steps_of(line)]
                noted = sum(step.letter == NOTED for step in steps)
                for step in steps:
                    _check_time(step.at, started_at)
                    _check_heard(step)
    except _WRONG:
        raise SchemaError(f"line {number} is damaged") from None


def _check_is_noted(line: Fields) -> None:
    if not line or "steps" in line:
        raise ValueError("a line is missing before it")


def _check_time(at: float, started_at: float) -> None:
    if not abs(_number(at) - started_at) < LONGEST_CALL_S:
        raise ValueError("no time of the call")


def _check_heard(step: Step) -> None:
    for number in step.heard:
        if step.letter != SPOKE or not math.isnan(number):
            _number(number)


def _check_line(line: Fields) -> None:
    for name in ("pushed", "sent", "silent"):
        for count in line.get(name, ()):
            _check_count(count)
    for pong in line.get("pongs", ()):
        if not isinstance(pong, str):
            _check_count(pong)
    for name in ("updates", "languages", "speech"):
        for text in line.get(name, ()):
            _text(text)
    # Samples have two bytes.
    if any(size % 2 for size in (*line.get("pushed", ()), *line.get("sent", ())[1::2])):
        raise ValueError("half a sample")
    if "events" in line:
        _check_events(line["events"])
    if _text(line.get("call", "")) in _CALLS:
        _CALLS[line["call"]](line)
    if "stats" in line or "end" in line:
        _check_stats(line["stats"])
    for name in ("steps", "told", "announced", "text", "reason", "cause"):
        _text(line.get(name, ""))


def _check_events(events: list[Fields]) -> None:
    for event in events:
        kind = _text(event["event"])
        _text(event.get("transcript", ""))
        _number(event.get("heard_at", 0.0))
        if kind == "notice":
            _text(event["notice"])


def _check_stats(stats: Fields) -> None:
    for count in stats.values():
        _number(count)


def _check_limits(limits: Limits) -> None:
    for field in fields(limits):
        if not float(getattr(limits, field.name)) >= 0:
            raise ValueError("no limit")


def _check_options(written: Fields) -> None:
    options = options_of(written)
    _text(options.model)
    if not 0 < _number(options.sample_rate) < 1e6:
        raise ValueError("no rate")


def _check_opened(line: Fields) -> None:
    _check_options(line["options"])
    limit, until = line["pace"]
    number_of(limit)
    number_of(until)


def _check_lost(line: Fields) -> None:
    for name in ("clean", "leaving", "abrupt", "hang_up"):
        line[name]
    limit, until = line["pace"]
    number_of(limit)
    number_of(until)


def _check_failed(line: Fields) -> None:
    error_of(line["error"])
    if "options" in line:
        _check_options(line["options"])


def _check_received(line: Fields) -> None:
    message_of(line["message"])
    for name in ("request_id", "turn_id", "transcript"):
        _text(line["message"].get(name, ""))


_CALLS: dict[str, Callable[[Fields], object]] = {
    "receive": _check_received,
    "link_opened": _check_opened,
    "link_lost": _check_lost,
    "update": lambda line: _check_options(line["options"]),
    "attempt_failed": _check_failed,
    "outgoing": lambda line: _text(line["item"]["type"]),
    "pong": lambda line: line["payload"].encode("latin-1"),
}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _check_count(value: object) -> None:
    if not isinstance(value, int) or not 0 <= value < MOST:
        raise ValueError("no count")


def _number(value: object) -> float:
    if not isinstance(value, int | float) or not abs(value) < MOST:
        raise TypeError("no number")
    return value

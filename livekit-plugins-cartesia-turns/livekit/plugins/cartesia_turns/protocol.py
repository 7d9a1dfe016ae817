"""How the messages of the turn endpoint are written on the wire, and how a client addresses it.

The facts are the vendor's: https://docs.cartesia.ai/api-reference/stt/turns/websocket.
"""

from __future__ import annotations

import json
import math

from .messages import (
    ClientMessage,
    Close,
    Config,
    Connected,
    ErrorMessage,
    ServerMessage,
    TurnEagerEnd,
    TurnEnd,
    TurnResume,
    TurnSettings,
    TurnStart,
    TurnUpdate,
    Unknown,
)

PATH = "/stt/turns/websocket"
API_VERSION = "2026-03-01"
"""The first version whose errors are JSON: https://docs.cartesia.ai/use-the-api/api-errors."""

API_KEY_HEADER = "X-API-Key"
VERSION_HEADER = "Cartesia-Version"


class ProtocolError(ValueError):
    """A frame that is not a message of the protocol. Its text says what was wrong and never holds the payload."""


_TURN_MESSAGES: dict[str, type[TurnUpdate | TurnEagerEnd | TurnEnd]] = {
    message.TYPE: message for message in (TurnUpdate, TurnEagerEnd, TurnEnd)
}
_BARE_MESSAGES: dict[str, type[Connected | TurnStart | TurnResume]] = {
    message.TYPE: message for message in (Connected, TurnStart, TurnResume)
}


def parse(data: str | bytes) -> ServerMessage:
    """Reads one text frame from the server.

    Raises:
        ProtocolError: not JSON, not an object, no `type`, or a field that is missing or of the wrong kind.
    """
    fields = _fields(data)
    kind = _text(fields, "type")
    if (bare := _BARE_MESSAGES.get(kind)) is not None:
        return bare(_text(fields, "request_id", default=""))
    if (turn := _TURN_MESSAGES.get(kind)) is not None:
        return turn(_text(fields, "request_id", default=""), _text(fields, "transcript"))
    if kind == ErrorMessage.TYPE:
        return error_from_fields(fields)
    return Unknown(kind)


def parse_client(data: str | bytes) -> ClientMessage:
    """Reads one text frame from a client.

    Raises:
        ProtocolError: not a command of the protocol.
    """
    fields = _fields(data)
    kind = _text(fields, "type")
    if kind == Close.TYPE:
        return Close()
    if kind != Config.TYPE:
        raise ProtocolError("`type` must be config or close")
    turn = fields.get("turn")
    if turn is None:
        return Config(TurnSettings())
    if not isinstance(turn, dict):
        raise ProtocolError("`turn` must be an object")
    timeout_ms = _number(turn, "end_timeout_ms")
    return Config(
        TurnSettings(
            _number(turn, "start_threshold"),
            _number(turn, "eager_end_threshold"),
            _number(turn, "end_threshold"),
            None if timeout_ms is None else round(timeout_ms),
        )
    )


def parse_error_body(data: str | bytes, status_code: int) -> ErrorMessage:
    """Reads the body of a failed handshake: JSON error fields, or anything at all.

    A body that is not what the protocol says yields an ErrorMessage without a title; its text is not kept.
    """
    try:
        return error_from_fields({"message": "", **_fields(data), "status_code": status_code})
    except ProtocolError:
        return ErrorMessage(message="", status_code=status_code)


def error_from_fields(fields: dict[str, object]) -> ErrorMessage:
    """Builds an ErrorMessage from the fields of an error, all but `message` optional.

    Raises:
        ProtocolError: `message` is missing, or a field is of the wrong kind.
    """
    status = fields.get("status_code")
    if status is None:
        status = ErrorMessage("").status_code
    if not isinstance(status, int) or isinstance(status, bool):
        raise ProtocolError("`status_code` is not an integer")
    return ErrorMessage(
        message=_text(fields, "message"),
        title=_text(fields, "title", default=""),
        status_code=status,
        error_code=_text(fields, "error_code", default="") or None,
        request_id=_text(fields, "request_id", default=""),
        doc_url=_text(fields, "doc_url", default="") or None,
    )


def serialize(message: ServerMessage | ClientMessage) -> str:
    """Writes a message as the text frame that carries it; fields that are None are left out."""
    if isinstance(message, Unknown):
        return json.dumps({"type": message.type})
    fields: dict[str, object] = {"type": message.TYPE}
    if isinstance(message, Config):
        fields["turn"] = _present(message.turn)
    else:
        fields |= _present(message)
    return json.dumps(fields)


def _present(record: ServerMessage | ClientMessage | TurnSettings) -> dict[str, object]:
    values = ((name, getattr(record, name)) for name in record.__slots__)
    return {name: value for name, value in values if value is not None}


def _fields(data: str | bytes) -> dict[str, object]:
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        # `from None`: the decoder's error quotes the payload.
        raise ProtocolError("not JSON") from None
    if not isinstance(fields, dict):
        raise ProtocolError("not a JSON object")
    return fields


def _text(fields: dict[str, object], name: str, *, default: str | None = None) -> str:
    value = fields.get(name, default)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise ProtocolError(f"`{name}` is missing" if value is None else f"`{name}` is not a string")
    return value


def _number(fields: dict[str, object], name: str) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProtocolError(f"`{name}` is not a number")
    # An int may be too large for isfinite.
    if isinstance(value, float) and not math.isfinite(value):
        raise ProtocolError(f"`{name}` is not finite")
    return value

"""How the messages of the turn endpoint are written on the wire, and how a client addresses it.

The facts are the vendor's: https://docs.cartesia.ai/api-reference/stt/turns/websocket.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import get_args

from .messages import (
    BareMessage,
    ClientMessage,
    Close,
    Config,
    Connected,
    DetectedLanguage,
    ErrorMessage,
    ServerMessage,
    SpokenMessage,
    TurnSettings,
    Unknown,
)

PATH = "/stt/turns/websocket"
API_KEY_HEADER = "X-API-Key"
VERSION_HEADER = "Cartesia-Version"


class ProtocolError(ValueError):
    """A frame is no message of the protocol. The text says what was wrong, and never contains the payload."""


class ConfigError(ProtocolError):
    """A `config` command has a setting of the wrong type."""


_BARE_MESSAGES: dict[str, type[BareMessage]] = {message.TYPE: message for message in get_args(BareMessage)}
_SPOKEN_MESSAGES: dict[str, type[SpokenMessage]] = {message.TYPE: message for message in get_args(SpokenMessage)}
_STATUS = re.compile(r"\s*\d{3}\b", re.ASCII)
_LEFT_OUT_IF_EMPTY = frozenset({"turn_id", "languages"})
"""Fields that are not written if they are empty, since the vendor's own messages do not always have them."""


def parse(data: str | bytes) -> ServerMessage:
    """Reads one text frame from the server.

    Only `type` is required. Any other field that is missing or of the wrong type counts as empty, so that a turn still
    ends and an error is still an error. A lone surrogate, which is no text, is replaced by U+FFFD.

    Raises:
        ProtocolError: the frame is not JSON, not an object, or has no `type`.
    """
    fields = _fields(data)
    kind = _kind(fields)
    request_id, turn_id = _text(fields, "request_id"), _text(fields, "turn_id")
    if (bare := _BARE_MESSAGES.get(kind)) is not None:
        return bare(request_id, turn_id)
    if (spoken := _SPOKEN_MESSAGES.get(kind)) is not None:
        return spoken(request_id, _text(fields, "transcript"), turn_id, _languages(fields.get("languages")))
    if kind == Connected.TYPE:
        return Connected(request_id)
    return error_from_fields(fields) if kind == ErrorMessage.TYPE else Unknown(kind)


def parse_client(data: str | bytes) -> ClientMessage:
    """Reads one text frame from a client.

    Raises:
        ConfigError: a `config` has a setting of the wrong type.
        ProtocolError: the frame is no command of the protocol.
    """
    fields = _fields(data)
    kind = _kind(fields)
    if kind in Close.TYPES:
        return Close()
    if kind != Config.TYPE:
        raise ProtocolError("`type` must be config or close")
    return Config(_turn_settings(fields), _texts(fields, "keyterms"), _texts(fields, "language_hints"))


def parse_error_body(data: str | bytes, status_code: int) -> ErrorMessage:
    """Reads the body of a failed handshake, which may be the fields of an error in JSON, or anything else.

    Any other body yields an ErrorMessage without texts, since the body is not kept.
    """
    try:
        fields = _fields(data)
    except ProtocolError:
        fields = {}
    return replace(error_from_fields(fields), status_code=status_code)


def error_from_fields(fields: dict[str, object]) -> ErrorMessage:
    """Builds an ErrorMessage from the fields of an error. One that is missing or of the wrong type has its default."""
    return ErrorMessage(
        message=_text(fields, "message"),
        title=_text(fields, "title"),
        status_code=_status(fields.get("status_code")),
        error_code=_text(fields, "error_code") or None,
        request_id=_text(fields, "request_id"),
        doc_url=_text(fields, "doc_url") or None,
    )


def serialize(message: ServerMessage | ClientMessage) -> str:
    """Writes a message as a text frame, without the fields that are None."""
    if isinstance(message, Unknown):
        return json.dumps({"type": message.type})
    fields = {"type": message.TYPE, **_present(message)}
    if fields.get("turn") == {}:
        del fields["turn"]
    return json.dumps(fields)


def _present(record: ServerMessage | ClientMessage | TurnSettings | DetectedLanguage) -> dict[str, object]:
    values = ((name, getattr(record, name)) for name in record.__slots__)
    return {
        name: _plain(value) for name, value in values if value is not None and (value or name not in _LEFT_OUT_IF_EMPTY)
    }


def _plain(value: object) -> object:
    if isinstance(value, TurnSettings | DetectedLanguage):
        return _present(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _fields(data: str | bytes) -> dict[str, object]:
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        # `from None`, since the decoder's error quotes the payload.
        raise ProtocolError("not JSON") from None
    if not isinstance(fields, dict):
        raise ProtocolError("not a JSON object")
    return fields


def _kind(fields: dict[str, object]) -> str:
    kind = fields.get("type")
    if not isinstance(kind, str):
        raise ProtocolError("`type` is missing" if kind is None else "`type` is not a string")
    return _whole(kind)


def _text(fields: dict[str, object], name: str) -> str:
    """The text of a field; empty if it is missing or no text."""
    value = fields.get(name)
    if not isinstance(value, str):
        return ""
    return value if value.isascii() else _whole(value)


def _whole(text: str) -> str:
    """`text` with each lone surrogate replaced: JSON can spell one, but no encoding can write it again."""
    if text.isascii():
        return text
    try:
        # This is the fastest of the encodings that refuse a surrogate.
        text.encode("utf-16-le")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _texts(fields: dict[str, object], name: str) -> tuple[str, ...] | None:
    values = fields.get(name)
    if values is None:
        return None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ConfigError(f"`{name}` must be a list of strings")
    return tuple(map(_whole, values))


def _turn_settings(fields: dict[str, object]) -> TurnSettings:
    turn = fields.get("turn")
    if turn is None:
        return TurnSettings()
    if not isinstance(turn, dict):
        raise ConfigError("`turn` must be an object")
    timeout_ms = _number(turn, "end_timeout_ms")
    return TurnSettings(
        _number(turn, "start_threshold"),
        _number(turn, "eager_end_threshold"),
        _number(turn, "end_threshold"),
        None if timeout_ms is None else round(timeout_ms),
    )


def _languages(value: object) -> tuple[DetectedLanguage, ...]:
    """The usable items of `languages`, which is a list of objects; a single object or a bare code is understood too."""
    if value is None:
        return ()
    found = map(_language, value if isinstance(value, list) else [value])
    return tuple(language for language in found if language.language)


def _language(value: object) -> DetectedLanguage:
    if isinstance(value, str):
        return DetectedLanguage(_whole(value))
    if not isinstance(value, dict):
        return DetectedLanguage("")
    confidence = value.get("confidence")
    is_known = isinstance(confidence, int | float) and not isinstance(confidence, bool) and 0 <= confidence <= 1
    return DetectedLanguage(_text(value, "language"), confidence if is_known else None)


def _status(value: object) -> int:
    """The HTTP status of an error, which may be written as text; the default of ErrorMessage if it is none."""
    if isinstance(value, str):
        value = int(digits[0]) if (digits := _STATUS.match(value)) else None
    return int(value) if isinstance(value, int | float) and 400 <= value <= 599 else ErrorMessage().status_code


def _number(fields: dict[str, object], name: str) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"`{name}` is not a number")
    # An int may be too large for isfinite.
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"`{name}` is not finite")
    return value

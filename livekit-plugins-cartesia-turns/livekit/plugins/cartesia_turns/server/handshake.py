"""What a client asks for when it connects: read, checked, or refused the way the vendor does. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hmac import compare_digest
from ipaddress import ip_address
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from ..wire.messages import Config, ErrorMessage, TurnSettings
from ..wire.protocol import API_KEY_HEADER
from ..wire.vendor import MODEL, Range
from .recognition.pcm import SAMPLE_BYTES
from .vendor import Vendor

SAMPLE_RATES = Range(8000, 48000)
"""What the server takes, in Hz."""

TOKEN_PARAMETER = "access_token"  # noqa: S105 - the parameter's name, no token
DOC_URL = "https://docs.cartesia.ai/api-reference/stt/turns/websocket"
AUTHORIZATION_DOC_URL = "https://docs.cartesia.ai/get-started/authenticate-your-client-applications"
LIMITS_DOC_URL = "https://docs.cartesia.ai/use-the-api/concurrency-limits-and-timeouts"


class RefusedError(Exception):
    """The handshake fails with this error; the answer gets these headers."""

    def __init__(self, error: ErrorMessage, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(error.title)
        self.error = error
        self.headers = headers

    def body(self) -> str:
        """The answer's body: the fields of the error as JSON."""
        return json.dumps(asdict(self.error))


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What one socket was opened with, or what is in force after a `config`.

    `sample_rate` is in Hz, `encoding` a key of SAMPLE_BYTES. `turn` is whole: what was not asked for has the vendor's
    default. `tells_languages`: the model's turn.end says which languages were heard.
    """

    request_id: str
    encoding: str
    sample_rate: int
    turn: TurnSettings
    keyterms: tuple[str, ...] = ()
    model: str = MODEL
    language_hints: tuple[str, ...] = ()
    tells_languages: bool = False

    @property
    def bytes_per_second(self) -> int:
        """Bytes of one second of this socket's audio."""
        return self.sample_rate * SAMPLE_BYTES[self.encoding]


def read_query(query: str) -> list[tuple[str, str]]:
    """The parameters of a raw query string, in order. A `+` is a plus: the vendor reads only %20 as a space."""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return [(unquote(name), unquote(value)) for name, _, value in pairs]


def check_key(headers: Mapping[str, str], query: list[tuple[str, str]], key: str, request_id: str) -> None:
    """Checks the key: X-API-Key, `Authorization: Bearer` or the access_token parameter.

    Raises:
        RefusedError: 401, none of them is the server's key.
    """
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    offered = [headers.get(API_KEY_HEADER, ""), token if scheme.lower() == "bearer" else ""]
    offered += [value for name, value in query if name == TOKEN_PARAMETER]
    if not any(compare_digest(_bytes(candidate), _bytes(key)) for candidate in offered):
        raise RefusedError(
            ErrorMessage(
                "The API key is missing or wrong.", "Unauthorized", 401, None, request_id, AUTHORIZATION_DOC_URL
            )
        )


def check_origin(origins: Sequence[str], host: str, asked_host: str, request_id: str) -> None:
    """Checks that the request does not come from a web page of another site; browsers name it in the Origin header.

    A page may connect if it comes from this machine (a loopback address or name), or from the host that the server
    listens on. An address in the Host header counts as that host. A name does not, since any name may lead here.

    Args:
        origins: the request's Origin headers; none where the client is no browser.
        host: what the server listens on.
        asked_host: the request's Host header.
        request_id: identifies the request in the error.

    Raises:
        RefusedError: 403, a page of another site.
    """
    asked = _host_of(f"//{asked_host}")
    own = {host.lower(), asked if _is_address(asked) else ""} - {""}
    if any(not _is_loopback(name) and name not in own for name in map(_host_of, origins)):
        message = "Pages of this origin may not connect: only those of this machine or of the server's own host may."
        raise RefusedError(ErrorMessage(message, "Forbidden", 403, "origin_not_allowed", request_id, DOC_URL))


def read_request(query: list[tuple[str, str]], request_id: str, vendor: Vendor) -> StreamRequest:
    """Reads and checks what the query asks for.

    Raises:
        ValueError: a parameter is missing, out of range, or not known here.
    """
    single = dict(query)
    model = vendor.model(_required(single, "model"))
    encoding = _required(single, "encoding")
    if encoding not in SAMPLE_BYTES:
        raise ValueError(f"encoding={encoding!r} is not known: it must be one of {', '.join(SAMPLE_BYTES)}")
    sample_rate = round(_number("sample_rate", _required(single, "sample_rate")))
    if sample_rate not in SAMPLE_RATES:
        raise ValueError(f"sample_rate={sample_rate!r} is out of range: it must be from {SAMPLE_RATES} Hz")
    keyterms = tuple(value for name, value in query if name == "keyterm")
    vendor.check_keyterms(keyterms)
    hints = tuple(value for name, value in query if name == "language_hint")
    vendor.check_language_hints(model, hints)
    turn = vendor.changed(vendor.turn_defaults, _turn_settings(single))
    return StreamRequest(request_id, encoding, sample_rate, turn, keyterms, model.name, hints, model.tells_languages)


def configured(stream: StreamRequest, config: Config, vendor: Vendor) -> StreamRequest:
    """What is in force after a `config`.

    Raises:
        ValueError: the config asks for something that the vendor does not take.
    """
    model = vendor.model(stream.model)
    if config.keyterms is not None:
        if not (model.changes_lists or vendor.live_keyterms):
            raise ValueError(f"keyterms of the model {model.name} can only be set when a socket is opened")
        vendor.check_keyterms(config.keyterms)
    if config.language_hints is not None:
        vendor.check_language_hints(model, config.language_hints)
        if not model.changes_lists:
            raise ValueError(f"language_hints can't be changed with the model {model.name}")
    return replace(
        stream,
        turn=vendor.changed(stream.turn, config.turn),
        keyterms=stream.keyterms if config.keyterms is None else config.keyterms,
        language_hints=stream.language_hints if config.language_hints is None else config.language_hints,
    )


def bad_request(message: str, request_id: str) -> ErrorMessage:
    """The error for a request that can't be right however often it is tried."""
    return ErrorMessage(message, "Bad request", 400, "invalid_request", request_id, DOC_URL)


def server_error(request_id: str) -> ErrorMessage:
    """The error for a stream whose responder failed."""
    message = "The server failed while it processed this stream."
    return ErrorMessage(message, "Internal server error", 500, "internal_error", request_id)


def too_fast(status_code: int, request_id: str) -> ErrorMessage:
    """The error for audio that comes faster than it is taken."""
    return ErrorMessage(
        "Audio arrives faster than real time.", "Too fast", status_code, None, request_id, LIMITS_DOC_URL
    )


def too_many_streams(max_streams: int, request_id: str) -> RefusedError:
    """The refusal of one socket too many."""
    message = f"{max_streams} streams are open, which is the limit."
    error = ErrorMessage(message, "Too many requests", 429, "concurrency_limited", request_id, LIMITS_DOC_URL)
    return RefusedError(error, {"Retry-After": "1"})


def _bytes(text: str) -> bytes:
    # What is not UTF-8 in a header comes as lone surrogates, and those have no encoding otherwise.
    return text.encode("utf-8", "surrogatepass")


def _host_of(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return _is_address(host) and ip_address(host).is_loopback


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _turn_settings(parameters: dict[str, str]) -> TurnSettings:
    given = {name: parameters.get(f"turn_{name}") for name in TurnSettings.__slots__}
    numbers = {name: _number(f"turn_{name}", value) for name, value in given.items() if value is not None}
    timeout_ms = numbers.pop("end_timeout_ms", None)
    return TurnSettings(**numbers, end_timeout_ms=None if timeout_ms is None else round(timeout_ms))


def _required(parameters: dict[str, str], name: str) -> str:
    if not parameters.get(name):
        raise ValueError(f"{name} is missing")
    return parameters[name]


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f"{name}={value!r} is not a number") from None
    if not abs(number) < float("inf"):
        raise ValueError(f"{name}={value!r} is not a number")
    return number

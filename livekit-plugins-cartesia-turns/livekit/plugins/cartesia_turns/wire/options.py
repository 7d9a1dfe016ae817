"""The options of a connection: checked once, immutable, and turned into a URL.

Only values that no server can take are refused here. Values that the vendor is not known to take are sent; see
`doubts`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import pairwise
from urllib.parse import SplitResult, quote, urlsplit

from .checks import check_flag, check_number, check_positive, check_text, check_texts, check_whole, shown
from .messages import TurnSettings
from .protocol import PATH
from .vendor import KEYTERMS, MODEL, MODELS

ENCODING = "pcm_s16le"

THRESHOLDS = ("start_threshold", "eager_end_threshold", "end_threshold")
"""The turn settings that are likelihoods, from the highest to the lowest."""

SAMPLE_RATES = (8000, 48000)
"""The lowest and the highest rate that the plugin sends, in Hz. Other rates help no speech recognizer."""


@dataclass(frozen=True, slots=True)
class CompleteSettings:
    """Turn settings that all have a value, as a server needs them. `TurnSettings` is a change of some of them."""

    start_threshold: float
    eager_end_threshold: float
    end_threshold: float
    end_timeout_ms: int


def complete(turn: TurnSettings) -> CompleteSettings:
    """Turns settings that must all be given into complete ones.

    Raises:
        ValueError: one is missing.
    """
    start, eager_end, end = turn.start_threshold, turn.eager_end_threshold, turn.end_threshold
    timeout_ms = turn.end_timeout_ms
    if start is None or eager_end is None or end is None or timeout_ms is None:
        missing = next(name for name in TurnSettings.__slots__ if getattr(turn, name) is None)
        raise ValueError(f"turn_{missing} is missing: each turn setting has to be given here")
    return CompleteSettings(start, eager_end, end, timeout_ms)


def merge(base: TurnSettings, change: TurnSettings) -> TurnSettings:
    """`base` with each setting that `change` gives."""
    return TurnSettings(
        *(
            getattr(base, name) if getattr(change, name) is None else getattr(change, name)
            for name in TurnSettings.__slots__
        )
    )


def whole(milliseconds: float | None) -> int | None:
    """Turns a float without a fraction into an int, since the server wants an int; returns anything else unchanged."""
    is_whole = isinstance(milliseconds, float) and milliseconds.is_integer()
    return int(milliseconds) if is_whole else milliseconds  # type: ignore[return-value,arg-type]  # checked elsewhere


def check_turn(turn: TurnSettings) -> None:
    """Checks what every server demands: likelihoods from 0 to 1, and those that are given in strict order.

    Raises:
        ValueError: a setting breaks this. The text names the argument, its value and what is allowed.
    """
    for name in THRESHOLDS:
        value = getattr(turn, name)
        if value is not None:
            check_number(f"turn_{name}", value)
            if not 0 <= value <= 1:
                raise ValueError(f"turn_{name}={shown(value)} is out of range: a likelihood is from 0 to 1")
    if turn.end_timeout_ms is not None:
        check_positive("turn_end_timeout_ms", turn.end_timeout_ms)
    if not in_order(turn):
        given = {name: getattr(turn, name) for name in THRESHOLDS if getattr(turn, name) is not None}
        order = " > ".join(f"turn_{name}={value}" for name, value in given.items())
        raise ValueError(f"{order} must hold: the thresholds have to be in this order, and different")


def in_order(turn: TurnSettings) -> bool:
    """Whether the thresholds that are given are in strict order."""
    given = [value for name in THRESHOLDS if (value := getattr(turn, name)) is not None]
    return all(higher > lower for higher, lower in pairwise(given))


def check_keyterms(keyterms: Sequence[str]) -> None:
    """Checks the limits on keyterms.

    Raises:
        ValueError: there are too many terms or characters, or a term is empty or no string.
    """
    check_texts("keyterm", "term", keyterms)
    limits, since = KEYTERMS.value, f"by the vendor's limit of {KEYTERMS.since}"
    if len(keyterms) > limits.items:
        raise ValueError(f"keyterm has {len(keyterms)} terms: at most {limits.items} are allowed, {since}")
    characters = sum(map(len, keyterms))
    if limits.characters is not None and characters > limits.characters:
        raise ValueError(
            f"keyterm has {characters} characters in all: at most {limits.characters} are allowed, {since}"
        )


def fitting_keyterms(keyterms: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """As many of the terms, in order, as fit the server's limits, without empty ones and repetitions.

    Returns:
        The terms, and how many were left out because of the limits.
    """
    limits = KEYTERMS.value
    terms = list(dict.fromkeys(term for term in keyterms if term.strip()))
    kept: list[str] = []
    characters = 0
    for term in terms:
        if len(kept) < limits.items and characters + len(term) <= (limits.characters or math.inf):
            kept.append(term)
            characters += len(term)
    return tuple(kept), len(terms) - len(kept)


def check_model(model: str) -> None:
    """Refuses a model that is no name, or that detects no turns. Any other name may be a model of the vendor's.

    Raises:
        ValueError: it is empty, or ink-whisper.
    """
    if not isinstance(model, str) or not model.strip():
        raise ValueError(
            f"model={shown(model)} is not a model: the turn endpoint serves {', '.join(map(repr, MODELS))}"
        )
    check_text("model", model)
    if model.startswith("ink-whisper"):
        raise ValueError(f"model={shown(model)} has no turn detection: use {MODEL!r}, or livekit-plugins-cartesia")


def check_sample_rate(sample_rate: int) -> None:
    """Checks that the plugin sends audio at this rate, in Hz.

    Raises:
        ValueError: it does not.
    """
    check_whole("sample_rate", sample_rate, *SAMPLE_RATES, "Hz")


@dataclass(frozen=True, slots=True)
class Options:
    """What one connection is opened with.

    `sample_rate` is the true rate, in Hz, of the audio that is sent: mono, signed 16-bit little-endian.

    Raises:
        ValueError: an option can't be right. The text names it, its value and what is allowed.
    """

    model: str = MODEL
    sample_rate: int = 16000
    turn: TurnSettings = field(default_factory=TurnSettings)
    keyterms: tuple[str, ...] = ()
    language_hints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_model(self.model)
        check_sample_rate(self.sample_rate)
        check_turn(self.turn)
        check_keyterms(self.keyterms)
        check_texts("language_hints", "code", self.language_hints)

    def query(self) -> str:
        """The query string of the websocket's URL. A space is written as %20, since the server does not take `+`."""
        pairs = [("model", self.model), ("encoding", ENCODING), ("sample_rate", str(self.sample_rate))]
        pairs += [("keyterm", term) for term in self.keyterms]
        pairs += [("language_hint", code) for code in self.language_hints]
        turn = ((name, getattr(self.turn, name)) for name in TurnSettings.__slots__)
        pairs += [(f"turn_{name}", json.dumps(value)) for name, value in turn if value is not None]
        return "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)


def endpoint(base_url: str, *, allow_plaintext: bool = False) -> str:
    """The websocket's address without a query.

    Args:
        base_url: http(s) or ws(s), a bare host, a host with a path prefix, or the whole endpoint.
        allow_plaintext: accept an unencrypted address that is not on this machine. A key that was sent to it may have
            to be replaced.

    Raises:
        ValueError: it is no address, that of another endpoint, or unencrypted and not on this machine.
    """
    check_flag("allow_plaintext", allow_plaintext)
    parts = _split(base_url)
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    if parts is None or parts.scheme not in schemes or not parts.hostname:
        raise ValueError("base_url is not an address: it must be http(s)://, ws(s):// or a host name, in ASCII")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("base_url must not hold a user name, a query or a fragment: settings have their own arguments")
    scheme = schemes[parts.scheme]
    if scheme == "ws" and not allow_plaintext and not is_loopback(parts.hostname):
        raise ValueError(
            f"base_url connects to {parts.hostname} without encryption, so the network could read the key:"
            " use https or wss, or pass allow_plaintext=True"
        )
    path = parts.path.rstrip("/")
    is_part = path.endswith(("/websocket", PATH.removesuffix("/websocket")))
    if is_part and not path.endswith(PATH):
        raise ValueError(f"base_url has the path of another endpoint: leave the path out, or end it with {PATH}")
    return f"{scheme}://{parts.netloc}{path if path.endswith(PATH) else path + PATH}"


def _split(base_url: str) -> SplitResult | None:
    """The parts of an address; None if it can't be one."""
    if not isinstance(base_url, str) or not _ADDRESS.fullmatch(base_url):
        return None
    try:
        parts = urlsplit(base_url if "://" in base_url else f"https://{base_url}")
        # `port` raises a ValueError if the port is no number. "https:/host" reads as a host named https without a port.
        return None if parts.port == 0 or parts.netloc.endswith(":") else parts
    except ValueError:
        return None


_ADDRESS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")


def is_loopback(host: str) -> bool:
    """Whether the host (a name or an address) is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

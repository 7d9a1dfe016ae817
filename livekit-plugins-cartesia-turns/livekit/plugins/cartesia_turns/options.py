"""What a connection is asked for: validated once, immutable, and turned into a URL.

Ranges and defaults are the vendor's: https://docs.cartesia.ai/use-the-api/stt/turns and /stt/keyterms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from .messages import TurnSettings
from .protocol import PATH

MODEL = "ink-2"
ENCODING = "pcm_s16le"

DEFAULT_TURN = TurnSettings(start_threshold=0.8, eager_end_threshold=0.4, end_threshold=0.2, end_timeout_ms=5600)
"""What the server uses for a setting that is not given."""

TURN_RANGES: dict[str, tuple[float, float]] = {
    "start_threshold": (0.5, 0.9),
    "eager_end_threshold": (0.3, 0.6),
    "end_threshold": (0.05, 0.5),
    "end_timeout_ms": (640, 11200),
}
SAMPLE_RATES = (8000, 48000)
MAX_KEYTERMS = 100
MAX_KEYTERM_CHARACTERS = 1200


def with_defaults(turn: TurnSettings) -> TurnSettings:
    """The settings in force on the server: each one that is not given has the vendor's default."""
    return merge(DEFAULT_TURN, turn)


def merge(base: TurnSettings, change: TurnSettings) -> TurnSettings:
    """`base` with each setting that `change` gives."""
    return TurnSettings(
        *(
            getattr(base, name) if getattr(change, name) is None else getattr(change, name)
            for name in TurnSettings.__slots__
        )
    )


def turn_change(old: TurnSettings, new: TurnSettings) -> TurnSettings:
    """What takes a server from one to the other: only what differs, and the vendor's default for what is not given."""
    before, after = with_defaults(old), with_defaults(new)
    return TurnSettings(
        *(
            None if getattr(before, name) == getattr(after, name) else getattr(after, name)
            for name in TurnSettings.__slots__
        )
    )


def check_turn(turn: TurnSettings) -> None:
    """Checks ranges, and the strict order of the thresholds with the defaults filled in.

    Raises:
        ValueError: names the argument, its value and what is allowed.
    """
    for name, (low, high) in TURN_RANGES.items():
        value = getattr(turn, name)
        if value is not None and not low <= value <= high:
            raise ValueError(f"turn_{name}={value!r} is out of range: it must be from {low} to {high}")
    whole = with_defaults(turn)
    order = (whole.start_threshold or 0, whole.eager_end_threshold or 0, whole.end_threshold or 0)
    if not order[0] > order[1] > order[2]:
        raise ValueError(
            f"turn_start_threshold={order[0]} > turn_eager_end_threshold={order[1]} > turn_end_threshold={order[2]}"
            " must hold; a threshold that is not given has the server's default"
        )


def check_keyterms(keyterms: Sequence[str]) -> None:
    """Checks the limits on keyterms.

    Raises:
        ValueError: too many terms, too many characters, or a term that is empty or none.
    """
    for term in keyterms:
        if not isinstance(term, str):
            raise ValueError(f"keyterm has {term!r} among its terms: each must be a string")
    if len(keyterms) > MAX_KEYTERMS:
        raise ValueError(f"keyterm has {len(keyterms)} terms: at most {MAX_KEYTERMS} are allowed")
    characters = sum(map(len, keyterms))
    if characters > MAX_KEYTERM_CHARACTERS:
        raise ValueError(f"keyterm has {characters} characters in all: at most {MAX_KEYTERM_CHARACTERS} are allowed")
    if not all(term.strip() for term in keyterms):
        raise ValueError("keyterm has an empty term: each must have at least one character")


def fitting_keyterms(keyterms: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """The first of the terms, without empty ones and repetitions, as far as the server's limits go.

    Returns:
        The terms, and how many were left out for the limits.
    """
    terms = list(dict.fromkeys(term for term in keyterms if term.strip()))
    kept: list[str] = []
    characters = 0
    for term in terms:
        if len(kept) < MAX_KEYTERMS and characters + len(term) <= MAX_KEYTERM_CHARACTERS:
            kept.append(term)
            characters += len(term)
    return tuple(kept), len(terms) - len(kept)


def check_sample_rate(sample_rate: int) -> None:
    """Checks that the server takes audio at this rate, in Hz.

    Raises:
        ValueError: it does not.
    """
    low, high = SAMPLE_RATES
    if not isinstance(sample_rate, int):
        raise ValueError(f"sample_rate={sample_rate!r} is not a whole number of Hz")
    if not low <= sample_rate <= high:
        raise ValueError(f"sample_rate={sample_rate!r} is out of range: it must be from {low} to {high} Hz")


@dataclass(frozen=True, slots=True)
class Options:
    """What one connection is opened with.

    `sample_rate` is the true rate, in Hz, of the audio that is sent: mono, signed 16-bit little-endian.

    Raises:
        ValueError: an option is out of range; the text names it, its value and what is allowed.
    """

    model: str = MODEL
    sample_rate: int = 16000
    turn: TurnSettings = field(default_factory=TurnSettings)
    keyterms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.model:
            raise ValueError(f"model={self.model!r} is not a model: the turn endpoint serves {MODEL!r}")
        check_sample_rate(self.sample_rate)
        check_turn(self.turn)
        check_keyterms(self.keyterms)

    @property
    def end_timeout_s(self) -> float:
        """The longest the server waits after speech stopped, in seconds."""
        # Asked for at every step of a stream, so not by way of with_defaults.
        return (self.turn.end_timeout_ms or DEFAULT_TURN.end_timeout_ms or 0) / 1000

    def query(self) -> str:
        """The query string of the websocket's URL; a space is %20, since the server does not read `+` as one."""
        pairs = [("model", self.model), ("encoding", ENCODING), ("sample_rate", str(self.sample_rate))]
        pairs += [("keyterm", term) for term in self.keyterms]
        turn = ((name, getattr(self.turn, name)) for name in TurnSettings.__slots__)
        pairs += [(f"turn_{name}", str(value)) for name, value in turn if value is not None]
        return "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)


def endpoint(base_url: str, *, allow_plaintext: bool = False) -> str:
    """The websocket's address without a query.

    Args:
        base_url: http(s) or ws(s), a bare host, a host with a path prefix, or the whole endpoint.
        allow_plaintext: accept an unencrypted address that is not on this machine. A key that was sent so may have to
            be replaced.

    Raises:
        ValueError: not an address, that of another endpoint, or unencrypted and not on this machine.
    """
    address = base_url if "://" in base_url else f"https://{base_url}"
    parts = urlsplit(address)
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError("base_url is not an address: it must be http(s)://, ws(s):// or a host name")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("base_url must not hold a user name, a query or a fragment: settings have their own arguments")
    scheme = schemes[parts.scheme]
    if scheme == "ws" and not allow_plaintext and not _is_loopback(parts.hostname):
        raise ValueError(
            f"base_url leads to {parts.hostname} without encryption, which would show the key to the network:"
            " use https or wss, or pass allow_plaintext=True"
        )
    path = parts.path.rstrip("/")
    if path.endswith("/websocket") and not path.endswith(PATH):
        raise ValueError(f"base_url leads to another endpoint: leave its path out, or let it end in {PATH}")
    return f"{scheme}://{parts.netloc}{path if path.endswith(PATH) else path + PATH}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

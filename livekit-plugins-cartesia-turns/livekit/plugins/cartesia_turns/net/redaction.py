"""Takes secrets out of the texts of a server.

A server, or a proxy before it, may quote what it was sent: as it was, percent-encoded, in capitals, or in base64.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import html
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from urllib.parse import parse_qsl, quote, quote_plus, unquote, unquote_plus, urlsplit

from ..wire.messages import ErrorMessage
from ..wire.protocol import VERSION_HEADER

BEARER = "Bearer "
BLOT = "***"
MIN_LETTERS = 6
"""A text with fewer letters and digits than this counts as no secret, since it would be found in innocent words."""

_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_ESCAPED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))")
_BASE64_UNIT = 4


class Redaction:
    """Takes secrets out of texts.

    Args:
        credentials: keys, tokens, headers and the query. They are removed everywhere.
        terms: key terms. They are removed from texts, but a machine-readable code may contain one.
    """

    def __init__(self, credentials: Iterable[str], terms: Iterable[str] = ()) -> None:
        self._credentials = frozenset(filter(_is_worth_it, credentials))
        self._all = self._credentials | frozenset(filter(_is_worth_it, terms))

    def text(self, text: str) -> str:
        """The text with each secret replaced by BLOT; BLOT alone if it contains a secret in some rarer encoding."""
        if not text or not _reveals(text, self._all):
            return text
        clean = self._pattern.sub(BLOT, text)
        return BLOT if _reveals(clean, self._all) else clean

    def identifier(self, identifier: str) -> str:
        """The identifier; BLOT if it contains a secret."""
        return BLOT if identifier and _reveals(identifier, self._all) else identifier

    def code(self, code: str) -> str:
        """As `identifier`, for a code of the server's own, which may well contain a key term."""
        return BLOT if code and _reveals(code, self._credentials) else code

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """Matches the secrets, the longest first, as they are and percent-encoded, in capitals or not."""
        spelt = {form for secret in self._all for form in (secret, quote(secret), quote(secret, safe=""))}
        spelt |= {quote_plus(secret) for secret in self._all}
        return re.compile("|".join(map(re.escape, sorted(spelt, key=len, reverse=True))), re.IGNORECASE)


def _is_worth_it(secret: str) -> bool:
    return sum(map(str.isalnum, secret)) >= MIN_LETTERS


def _reveals(text: str, secrets: frozenset[str]) -> bool:
    """Whether one of the secrets is in the text, in any encoding that is known here."""
    readings = {reading.casefold() for reading in _readings(text)}
    return any(secret.casefold() in reading for secret in secrets for reading in readings)


def _readings(text: str) -> Iterator[str]:
    """The text, and what it reads when it is decoded."""
    yield text
    for plain in (unquote(text), unquote_plus(text), html.unescape(text), _ESCAPED.sub(_character, text)):
        yield plain
        yield unquote_plus(plain)
    for run in _ENCODED.findall(text):
        yield from _decoded(run)


def _character(escaped: re.Match[str]) -> str:
    return chr(int(escaped[1] or escaped[2], 16))


def _decoded(run: str) -> Iterator[str]:
    """What a run of letters reads as hexadecimal digits, and as base64 that begins anywhere in it."""
    with_digits = run if len(run) % 2 == 0 else run[:-1]
    with contextlib.suppress(ValueError):
        yield bytes.fromhex(with_digits).decode(errors="replace")
    standard = run.replace("-", "+").replace("_", "/")
    for start in range(_BASE64_UNIT):
        piece = standard[start:]
        # A single letter that is left over encodes no byte.
        piece = piece[:-1] if len(piece) % _BASE64_UNIT == 1 else piece
        with contextlib.suppress(binascii.Error):
            yield base64.b64decode(piece + "=" * (-len(piece) % _BASE64_UNIT)).decode(errors="replace")


def redacted(message: ErrorMessage, redaction: Redaction) -> ErrorMessage:
    """The error without the secrets that the server quotes in it."""
    return replace(
        message,
        title=redaction.text(message.title),
        message=redaction.text(message.message),
        error_code=message.error_code and redaction.code(message.error_code),
        request_id=redaction.identifier(message.request_id),
        doc_url=message.doc_url and redaction.text(message.doc_url),
    )


def redaction_of(url: str, headers: Mapping[str, str]) -> Redaction:
    """The redaction of what no error may quote: the key, the token, the query, its key terms and the user's headers."""
    query = urlsplit(url).query
    terms = [value for name, value in parse_qsl(query) if name == "keyterm"]
    values = [value for name, value in headers.items() if name != VERSION_HEADER]
    return Redaction([query, unquote(query), *values, *(value.removeprefix(BEARER) for value in values)], terms)

"""Checks of single values; each is given the name of the argument, for its error.

The error names the argument and what is allowed. It shows numbers and short texts. Of anything else it shows only the
type, since the text of an object may contain a key.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping

SHOWN = 20
"""How many characters of a text are shown, and how many digits a number may have to be shown."""


AROUND = " \t\r\n\f\v\xa0\ufeff"
"""The characters that are stripped from both ends of a credential."""


def shown(value: object) -> str:
    """The value as an error may show it."""
    if isinstance(value, str):
        return repr(str(value) if len(value) <= SHOWN else f"{value[:SHOWN]}...")
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if isinstance(value, int):
        # Python refuses to write out a number of some thousand digits.
        return int.__repr__(value) if abs(value) < 10**SHOWN else f"(a number of more than {SHOWN} digits)"
    return f"(a {type(value).__name__})"


def is_number(value: object) -> bool:
    """Whether the value is a finite int or float. A bool is no number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def check_number(name: str, value: object) -> None:
    """Checks that the value is a finite number.

    Raises:
        ValueError: it is not.
    """
    if not is_number(value):
        raise ValueError(f"{name}={shown(value)} is not a finite number, given as an int or a float")


def check_positive(name: str, value: object) -> None:
    """Checks that the value is a finite number greater than zero.

    Raises:
        ValueError: it is not.
    """
    check_number(name, value)
    if not value > 0:  # type: ignore[operator]  # a number
        raise ValueError(f"{name}={shown(value)} is out of range: it must be greater than 0")


def check_whole(name: str, value: object, low: int, high: int, unit: str) -> None:
    """Checks that the value is an int from `low` to `high`.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name}={shown(value)} is not a whole number of {unit}, given as an int")
    if not low <= value <= high:
        raise ValueError(f"{name}={shown(value)} is out of range: it must be from {low} to {high} {unit}")


def check_flag(name: str, value: object) -> None:
    """Checks that the value is True or False.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name}={shown(value)} is neither True nor False")


def check_text(name: str, value: object) -> None:
    """Checks that the value is a text that can be sent and is more than white space.

    Raises:
        ValueError: it is not. The error does not repeat the text.
    """
    if not isinstance(value, str):
        raise ValueError(f"{name} is of type {type(value).__name__}: it must be a str")
    if not value.strip():
        raise ValueError(f"{name}={shown(value)} is empty: it must have at least one character")
    if not can_be_sent(value):
        raise ValueError(f"{name} contains a lone surrogate, which can't be sent")


def check_texts(name: str, noun: str, value: object) -> None:
    """Checks that the value is a list or another collection of texts, each of which passes `check_text`.

    Raises:
        ValueError: it is not. The error does not repeat the texts.
    """
    if not isinstance(value, Collection) or isinstance(value, str | bytes):
        raise ValueError(f"{name} is of type {type(value).__name__}: it must be a list of {noun}s")
    for item in value:
        if not isinstance(item, str):
            raise ValueError(f"{name} has {shown(item)} among its {noun}s: each must be a string")
        if not item.strip():
            raise ValueError(f"{name} has an empty {noun}: each must have at least one character")
        check_text(f"a {noun} of {name}", item)


def check_headers(name: str, value: object) -> None:
    """Checks that the value is a mapping of headers that the handshake of a websocket may have.

    Raises:
        ValueError: it is not. The error repeats no value, and a name only if the handshake sets that header itself.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is of type {type(value).__name__}: it must be a dict of str to str")
    for header, content in value.items():
        if not isinstance(header, str) or not _HEADER_NAME.fullmatch(header):
            raise ValueError(f"{name} has an invalid header name: only letters, digits and - are allowed")
        if _OF_THE_HANDSHAKE.fullmatch(header):
            raise ValueError(f"{name} has {header}, which the handshake sets itself")
        check_header(f"{name}: the value of a header", content)


def check_header(name: str, value: object) -> None:
    """Checks that a header can have this value.

    Raises:
        ValueError: it can't. The error does not repeat the value.
    """
    if not isinstance(value, str):
        raise ValueError(f"{name} is of type {type(value).__name__}: it must be a str")
    if not can_be_sent(value) or _CONTROL.search(value):
        raise ValueError(f"{name} contains a character that is not allowed in a header, such as a line break")


def credential(name: str, value: str | None) -> str | None:
    """A key or a token without the white space and byte order mark that a file or a terminal may have put around it.

    Raises:
        ValueError: it is no str, or has a character that no credential has. The error does not repeat the value.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"{name} is of type {type(value).__name__}: it must be a str")
    value = value.strip(AROUND)
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"{name} has a character that is not printable ASCII: copy it again")
    return value or None


_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OF_THE_HANDSHAKE = re.compile(
    r"connection|upgrade|sec-websocket-.*|content-length|transfer-encoding|trailer|expect|te", re.IGNORECASE
)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ufeff]")
"""Characters that no header may have: control characters except the tab, and the byte order mark."""


def can_be_sent(text: str) -> bool:
    """Whether the text can be written in UTF-8, that is, has no lone surrogate."""
    return not any("\ud800" <= character <= "\udfff" for character in text)

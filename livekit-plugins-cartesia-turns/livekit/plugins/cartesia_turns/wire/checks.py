"""Checks of single values, by the name of the argument that has them.

What a check says names the argument and what is allowed. It shows numbers and short texts, and of anything else only
the type: an object may write out a key.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping

SHOWN = 20
"""How many characters of a text are shown, and how many digits a number may have to be shown."""


AROUND = " \t\r\n\f\v\xa0\ufeff"
"""What is taken off both ends of a credential."""


def shown(value: object) -> str:
    """A value as an error may show it."""
    if isinstance(value, str):
        return repr(str(value) if len(value) <= SHOWN else f"{value[:SHOWN]}...")
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if isinstance(value, int):
        # Python refuses to write out a number of some thousand digits.
        return int.__repr__(value) if abs(value) < 10**SHOWN else f"(a number of more than {SHOWN} digits)"
    return f"(a {type(value).__name__})"


def is_number(value: object) -> bool:
    """Whether this is a finite int or float. A bool is no number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def check_number(name: str, value: object) -> None:
    """Checks that it is a finite number.

    Raises:
        ValueError: it is not.
    """
    if not is_number(value):
        raise ValueError(f"{name}={shown(value)} is not a finite number, given as an int or a float")


def check_positive(name: str, value: object) -> None:
    """Checks that it is a finite number greater than zero.

    Raises:
        ValueError: it is not.
    """
    check_number(name, value)
    if not value > 0:  # type: ignore[operator]  # a number
        raise ValueError(f"{name}={shown(value)} is out of range: it must be greater than 0")


def check_whole(name: str, value: object, low: int, high: int, unit: str) -> None:
    """Checks that it is an int from `low` to `high`.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name}={shown(value)} is not a whole number of {unit}, given as an int")
    if not low <= value <= high:
        raise ValueError(f"{name}={shown(value)} is out of range: it must be from {low} to {high} {unit}")


def check_flag(name: str, value: object) -> None:
    """Checks that it is True or False.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name}={shown(value)} is neither True nor False")


def check_text(name: str, value: object) -> None:
    """Checks that it is a text that can be sent and is more than white space.

    Raises:
        ValueError: it is not. The text is not repeated.
    """
    if not isinstance(value, str):
        raise ValueError(f"{name} is of type {type(value).__name__}: it must be a str")
    if not value.strip():
        raise ValueError(f"{name}={shown(value)} is empty: it must have at least one character")
    if not can_be_sent(value):
        raise ValueError(f"{name} holds half of a character (a lone surrogate), which can't be sent")


def check_texts(name: str, noun: str, value: object) -> None:
    """Checks that it is a list or another collection of texts, each as `check_text` wants it.

    Raises:
        ValueError: it is not. The texts are not repeated.
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
    """Checks that these are headers that a websocket's handshake may have.

    Raises:
        ValueError: they are not. Neither names nor values are repeated.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is of type {type(value).__name__}: it must be a dict of str to str")
    for header, content in value.items():
        if not isinstance(header, str) or not _HEADER_NAME.fullmatch(header):
            raise ValueError(f"{name} has a name that no header can have: letters, digits and - are allowed")
        if _OF_THE_HANDSHAKE.fullmatch(header):
            raise ValueError(f"{name} has {header}, which the handshake sets by itself")
        check_header(f"{name}: the value of a header", content)


def check_header(name: str, value: object) -> None:
    """Checks that a header can have this as its value.

    Raises:
        ValueError: it can't. The value is not repeated.
    """
    if not isinstance(value, str):
        raise ValueError(f"{name} is of type {type(value).__name__}: it must be a str")
    if not can_be_sent(value) or _CONTROL.search(value):
        raise ValueError(f"{name} has a character that no header can have, such as a line break")


def credential(name: str, value: str | None) -> str | None:
    """A key or a token without what a file or a terminal has put around it: white space and a byte order mark.

    Raises:
        ValueError: not a str, or it has a character that no credential has. The value is not repeated.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"{name} is of type {type(value).__name__}: it must be a str")
    value = value.strip(AROUND)
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"{name} has a character that is neither a letter, a digit nor a sign of ASCII: copy it anew")
    return value or None


_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OF_THE_HANDSHAKE = re.compile(
    r"connection|upgrade|sec-websocket-.*|content-length|transfer-encoding|trailer|expect|te", re.IGNORECASE
)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ufeff]")
"""What no header holds: control characters but the tab, and the mark that a file may begin with."""


def can_be_sent(text: str) -> bool:
    """Whether UTF-8 can hold this: no half of a pair of surrogates stands alone in it."""
    return not any("\ud800" <= character <= "\udfff" for character in text)

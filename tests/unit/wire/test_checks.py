"""What a check says names the argument, and shows of its value only what can't be a secret."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest
from livekit.plugins.cartesia_turns.wire import checks

TELLTALE = {"key": "secret"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (0.5, "0.5"),
        (math.nan, "nan"),
        (-7, "-7"),
        ("ink-2", "'ink-2'"),
        ("x" * 21, "'" + "x" * 20 + "...'"),
        (TELLTALE, "(a dict)"),
        (b"secret", "(a bytes)"),
    ],
)
def test_numbers_and_short_texts_are_shown_and_of_the_rest_the_type(value: object, text: str) -> None:
    assert checks.shown(value) == text


def test_a_number_that_python_refuses_to_write_out_is_told_by_its_length() -> None:
    with pytest.raises(ValueError, match=r"^n=\(a number of more than 20 digits\) is out of range"):
        checks.check_whole("n", 10**5000, 10, 20, "ms")


@pytest.mark.parametrize("value", [0, 1, -1.5, sys.float_info.max])
def test_a_finite_int_or_float_is_a_number(value: object) -> None:
    assert checks.is_number(value)
    checks.check_number("n", value)


@pytest.mark.parametrize("value", [True, math.nan, math.inf, 10**400, "1", None, 1j, [1]])
def test_nothing_else_is_a_number(value: object) -> None:
    assert not checks.is_number(value)
    for check in (checks.check_number, checks.check_positive):
        with pytest.raises(ValueError, match=r"^n="):
            check("n", value)


@pytest.mark.parametrize("value", [9, 21, 15.0, True, "15", None])
def test_a_whole_number_is_an_int_in_its_range(value: object) -> None:
    checks.check_whole("n", 10, 10, 20, "ms")
    checks.check_whole("n", 20, 10, 20, "ms")
    with pytest.raises(ValueError, match=r"^n=.* ms"):
        checks.check_whole("n", value, 10, 20, "ms")


@pytest.mark.parametrize("value", [1, 0, None, "True", []])
def test_a_flag_is_true_or_false(value: object) -> None:
    checks.check_flag("f", False)
    with pytest.raises(ValueError, match=r"^f=.* neither True nor False"):
        checks.check_flag("f", value)


@pytest.mark.parametrize("value", ["", " \n", None, b"secret", TELLTALE, "secret\ud800"])
def test_a_text_has_characters_that_can_be_sent(value: object) -> None:
    checks.check_text("t", "naïve 日本")
    with pytest.raises(ValueError, match=r"^t") as caught:
        checks.check_text("t", value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", [None, "secret", b"secret", 5, iter(["a"]), ["a", None], ["a", b"secret"], [" "]])
def test_texts_are_a_collection_of_texts(value: Any) -> None:
    checks.check_texts("t", "term", [])
    checks.check_texts("t", "term", {"a", "b"})
    with pytest.raises(ValueError, match=r"^t .*term") as caught:
        checks.check_texts("t", "term", value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Mine": "yes"},
        {"x_mine!": "naïve, with spaces\tand a tab"},
        {"Host": "proxy.example", "Authorization": "Basic abc"},
        {},
    ],
)
def test_headers_of_any_name_and_text_are_taken(headers: dict[str, str]) -> None:
    checks.check_headers("h", headers)


@pytest.mark.parametrize(
    "headers",
    [
        "X-Mine: secret",
        [("X-Mine", "secret")],
        {"X-Mine": None},
        {"X-Mine": b"secret"},
        {"X-Mine": "secret\r\nX-Other: 1"},
        {"X-Mine": "secret\0"},
        {"X-Mine": "\ufeffsecret"},
        {"X-Mine": "secret\ud800"},
        {"X Mine": "secret"},
        {"X-Mine\n": "secret"},
        {"Ключ": "secret"},
        {"": "secret"},
        {5: "secret"},
        {"Upgrade": "secret"},
        {"sec-websocket-key": "secret"},
        {"Content-Length": "5"},
    ],
)
def test_what_no_handshake_can_have_as_headers_is_refused_and_not_repeated(headers: Any) -> None:
    with pytest.raises(ValueError, match=r"^h") as caught:
        checks.check_headers("h", headers)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", [" key-1\n", "\ufeffkey-1", "key-1\r\n", "\ufeff\tkey-1 \xa0", "key-1"])
def test_what_a_file_puts_around_a_key_is_left_out(value: str) -> None:
    assert checks.credential("k", value) == "key-1"


@pytest.mark.parametrize("value", ["", " \n", "\ufeff", None])
def test_a_key_that_is_empty_is_none(value: Any) -> None:
    assert checks.credential("k", value) is None


@pytest.mark.parametrize("value", ["sec\nret", "secr\u00e9t", "sec\0ret", "sec\ufeffret", b"secret", 5, ["secret"]])
def test_a_key_that_no_header_can_have_is_refused_and_not_repeated(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^k ") as caught:
        checks.credential("k", value)
    assert not [part for part in ("sec", "ret") if part in str(caught.value)]

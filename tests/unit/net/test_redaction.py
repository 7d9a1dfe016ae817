"""What a server quotes of what it was sent is taken out of its texts, however it spells it."""

from __future__ import annotations

import base64
import html
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.net.redaction import BLOT, Redaction

KEY = "sk_car_4f/9+X=very secret"

SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in capitals": str.upper,
    "in small letters": str.lower,
    "percent-encoded": lambda secret: quote(secret, safe=""),
    "percent-encoded but for slashes": quote,
    "percent-encoded in small letters": lambda secret: quote(secret, safe="").lower(),
    "with + for spaces": quote_plus,
    "percent-encoded twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "every character percent-encoded": lambda secret: "".join(f"%{byte:02x}" for byte in secret.encode()),
    "escaped for HTML": html.escape,
    "escaped for JSON": lambda secret: "".join(rf"\u{ord(character):04x}" for character in secret),
    "escaped as in the log of a web server": lambda secret: "".join(rf"\x{byte:02X}" for byte in secret.encode()),
    "in base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "in base64 after a user's name": lambda secret: base64.b64encode(f"user:{secret}".encode()).decode(),
    "in base64 before more": lambda secret: base64.urlsafe_b64encode(f"ab{secret}:x".encode()).decode().rstrip("="),
    "in hexadecimal": lambda secret: secret.encode().hex(),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_key_is_blotted_out_however_it_is_spelt(spelling: str) -> None:
    quoted = SPELLINGS[spelling](KEY)
    redaction = Redaction([KEY])
    for clean in (
        redaction.text(f"no such key: {quoted}, sorry"),
        redaction.identifier(quoted),
        redaction.code(quoted),
    ):
        assert quoted.casefold() not in clean.casefold()
        assert "secret" not in clean.casefold()


@given(
    st.text(string.ascii_letters + string.digits + "_-+/= %", min_size=8, max_size=60),
    st.sampled_from(sorted(SPELLINGS)),
    st.text(max_size=20),
)
def test_no_secret_is_left_in_any_text(secret: str, spelling: str, around: str) -> None:
    if sum(map(str.isalnum, secret)) >= 6:
        quoted = SPELLINGS[spelling](secret)
        assert quoted.casefold() not in Redaction([secret]).text(f"{around} {quoted} {around}").casefold()


def test_what_stands_around_a_secret_is_kept() -> None:
    redaction = Redaction([KEY], ["Queen Mab"])
    said = f"no such key: {quote(KEY, safe='')}, nor keyterm=queen+mab or Queen%20Mab"
    assert redaction.text(said) == f"no such key: {BLOT}, nor keyterm={BLOT} or {BLOT}"


def test_a_short_term_is_no_secret_and_leaves_the_text_readable() -> None:
    redaction = Redaction([], ["API", "key", "limit", "a b c"])
    assert redaction.text("API key over its limit: a b c") == "API key over its limit: a b c"


def test_a_code_keeps_a_key_term_that_is_part_of_it_and_no_key() -> None:
    redaction = Redaction(["sk-very-secret"], ["concurrency"])
    assert redaction.code("concurrency_limited") == "concurrency_limited"
    assert redaction.code("bad_SK-VERY-SECRET") == BLOT
    assert redaction.text("concurrency") == BLOT


@pytest.mark.parametrize(
    "innocent", ["", "5f0c2b1e-8d1f-4c52-9b43-0f6a1f0f6e11", "%", "%zz", r"\u12", "====", "a" * 4000]
)
def test_what_holds_no_secret_stays_as_it_is(innocent: str) -> None:
    redaction = Redaction([KEY, ""], ["Queen Mab"])
    assert redaction.text(innocent) == redaction.identifier(innocent) == redaction.code(innocent) == innocent

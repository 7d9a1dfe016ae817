from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from printable import UNSAFE, visible, visible_json

EVIL = "\x1b]0;owned\x07 \x9b31m \x7f \u202eback\u2066 \ud800 \r\n\t\x00\u2028"


def test_what_a_terminal_would_obey_is_spelled_out() -> None:
    spelled = r"\x1b]0;owned\x07 \x9b31m \x7f \u202eback\u2066 \ud800 \r\n\t\x00\u2028"
    assert visible(EVIL) == spelled


def test_words_of_every_language_stay_as_they_are() -> None:
    # Persian and Hindi are written with joiners that show nothing, and so are some emoji.
    for text in ("Été, señor! ¿Qué? \u3000", "می\u200cخواهم", "क्\u200dष", "👩\u200d💻 שלום\u200f", r"C:\new"):
        assert visible(text) == text


def test_json_holds_the_text_as_it_was() -> None:
    line = visible_json({"text": EVIL, "more": "é"})
    assert json.loads(line) == {"text": EVIL, "more": "é"}
    assert "é" in line
    assert not UNSAFE.search(line)


@given(st.text())
def test_whatever_the_text_nothing_unsafe_is_left(text: str) -> None:
    assert not UNSAFE.search(visible(text))
    assert not UNSAFE.search(visible_json(text))
    assert json.loads(visible_json(text)) == text
    visible(text).encode()

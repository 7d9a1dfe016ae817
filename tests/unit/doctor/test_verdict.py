from __future__ import annotations

from livekit.plugins.cartesia_turns.doctor.verdict import printable


def test_a_text_from_outside_is_one_line_that_steers_no_terminal() -> None:
    assert printable("one\n two\x1b[31m") == "one two?[31m"


def test_a_long_text_from_outside_is_cut_off() -> None:
    assert printable("a" * 500, most=10) == "a" * 10 + "..."

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from turn_feed import CUT, MOST_BYTES, fit

PACKET: dict[str, object] = {"type": "turn_end", "turn": 3, "at": 1_800_000_000_000, "participant": "visitor"}


def test_a_packet_has_all_of_a_transcript_that_fits() -> None:
    assert json.loads(fit(PACKET, "so be it")) == {**PACKET, "transcript": "so be it"}


@pytest.mark.parametrize("word", ["word ", "été ", "और ", "👩🏽 ", "\x1b", '"'], ids=ascii)
def test_a_long_one_is_cut_to_its_newest_words_with_a_mark(word: str) -> None:
    spoken = "".join(f"{number} {word}" for number in range(20_000))
    packet = fit(PACKET, spoken)
    told = json.loads(packet)
    assert MOST_BYTES - 100 < len(packet.encode()) <= MOST_BYTES
    assert told.pop("transcript").startswith(CUT)
    assert told == PACKET
    assert spoken.endswith(json.loads(packet)["transcript"].removeprefix(CUT))


@given(st.text(min_size=MOST_BYTES // 12 - 20, max_size=MOST_BYTES // 6))
def test_whatever_was_said_the_packet_fits(spoken: str) -> None:
    assert len(fit(PACKET, spoken * 2).encode()) <= MOST_BYTES

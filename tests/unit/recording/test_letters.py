from __future__ import annotations

from livekit.plugins.cartesia_turns.recording.letters import STEPS, TOLD_OF
from livekit.plugins.cartesia_turns.recording.steps import APART
from livekit.plugins.cartesia_turns.wire.messages import TurnMessage


def test_each_letter_stands_for_one_thing() -> None:
    assert len(set(STEPS)) == len(STEPS)
    assert all(len(letter) == 1 and letter.isascii() for letter in STEPS)


def test_what_stands_apart_has_a_letter() -> None:
    assert set(STEPS) > APART


def test_texts_of_turns_are_told_to_the_framework() -> None:
    texts = {kind.TYPE for kind in TurnMessage.__args__ if "transcript" in kind.__slots__}
    assert set(TOLD_OF) == texts

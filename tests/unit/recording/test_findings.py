"""What stands out in a recorded call."""

from __future__ import annotations

from livekit.plugins.cartesia_turns.recording.findings import findings
from livekit.plugins.cartesia_turns.recording.story import Span, Story, Turn


def turn(number: int, start: float, speech_end: float, end: float) -> Turn:
    return Turn(number, start + 0.1, start, speech_end, end)


def test_a_user_who_goes_on_after_a_short_pause_was_perhaps_cut_off() -> None:
    story = Story(turns=[turn(1, 1.0, 2.0, 2.3), turn(2, 2.5, 3.0, 3.4), turn(3, 8.0, 9.0, 9.4)], is_complete=True)
    assert findings(story) == [
        "Turn 1 ended 0.3 s after speech stopped, and the user went on after a pause of 0.5 s: it was perhaps cut off."
    ]


def test_a_turn_that_ends_late_is_told() -> None:
    story = Story(turns=[turn(1, 1.0, 2.0, 5.5)], is_complete=True)
    assert findings(story) == ["Turn 1 ended only 3.5 s after speech stopped."]


def test_where_nothing_stands_out_that_is_said_and_where_the_record_ends_early_too() -> None:
    assert findings(Story(turns=[turn(1, 1.0, 2.0, 2.5)], is_complete=True))[0].startswith("Nothing stands out")
    assert findings(Story()) == ["The recording stops before the call does."]


def test_a_socket_that_was_closed_between_turns_is_no_loss() -> None:
    story = Story(turns=[turn(1, 1.0, 2.0, 2.5)], sockets=[Span(0.0, 4.0, "lost")], is_complete=True)
    assert findings(story)[0].startswith("Nothing stands out")

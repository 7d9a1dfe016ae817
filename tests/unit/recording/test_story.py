from __future__ import annotations

from livekit.plugins.cartesia_turns.core.events import Notice
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.recording.findings import findings
from livekit.plugins.cartesia_turns.recording.story import Story, notice_of, story_of
from support.lossy_link import Break, Fault, SimulatedCall
from support.recordings import Tape
from support.simulated_server import Speech


def told(speech: Speech, *faults: Fault, limits: Limits | None = None) -> Story:
    tape = Tape()
    SimulatedCall(speech, faults=[*faults], limits=limits, make_client=tape.client).run()
    return story_of(tape.recording())


def test_turns_are_told_with_their_words_and_times() -> None:
    story = told(Speech((50, 10, 80), (15, 15, 15), tail=200))
    assert [turn.text for turn in story.turns] == ["w0 w1", "w2"]
    first = story.turns[0]
    assert 0.9 < first.speech_start < first.told_at < (first.end or 0)
    assert first.speech_end is not None
    assert [text for _, text in first.words] == ["w0", "w0 w1"]
    assert story.is_complete
    assert len(story.sockets) == 1
    assert story.seconds >= 200 * 0.02


def test_a_pause_within_a_turn_that_was_taken_for_its_end_is_told() -> None:
    story = told(Speech((50, 18), (15, 15), tail=200))
    assert len(story.turns[0].maybe) == 2
    assert len(story.turns[0].went_on) == 1
    assert "Turn 1 was taken to be perhaps over once, and went on." in findings(story)


def test_a_socket_lost_in_mid_turn_and_what_was_sent_again_is_told() -> None:
    story = told(Speech((50, 10, 10), (15, 15, 15), tail=200), Fault(1.6))
    assert len(story.sockets) == 2
    assert story.replays
    found = findings(story)
    assert any("The socket was lost in turn 1" in sentence for sentence in found)
    assert any("sent once more" in sentence for sentence in found)


def test_a_notice_stands_where_it_was_given_in_its_own_words() -> None:
    story = told(Speech((50, 10), (15, 15), tail=900), Fault(1.4, Break.STALL))
    assert any(Notice.STALLED.value in mark.note for mark in story.marks)
    assert any(Notice.STALLED.value in sentence for sentence in findings(story))


def test_silence_that_was_sent_in_place_of_audio_is_told() -> None:
    tape = Tape()
    SimulatedCall(Speech((50,), (30,), tail=300), mutes={72: 4.0}, make_client=tape.client).run()
    story = story_of(tape.recording())
    assert story.silence
    assert any("silence was sent" in sentence for sentence in findings(story))


def test_a_notice_of_another_version_is_shown_by_its_name() -> None:
    assert notice_of("not_of_today") == "not of today"

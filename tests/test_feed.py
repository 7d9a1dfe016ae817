"""Audio on its way: cut where it is long, counted when it is sent, told once when there is too much."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.feed import QUIET_S, USAGE_EVERY_S, Feed, Marks
from livekit.plugins.cartesia_turns.stats import Stats

RATE = 8000
VOICE = b"\x00\x30\x00\xd0"
SILENCE = bytes(4)


def pcm(seconds: float, sample: bytes = VOICE) -> bytes:
    return sample * (round(RATE * seconds) // 2)


def send(feed: Feed, now: float = 0.0) -> bytes:
    sent = b""
    while (chunk := feed.buffer.peek()) is not None:
        feed.sent(chunk, now)
        sent += chunk.pcm
    return sent


@given(st.lists(st.integers(0, 3 * RATE), max_size=8))
def test_audio_of_any_length_is_sent_as_it_is_in_pieces_of_a_second_at_most(lengths: list[int]) -> None:
    feed, pushed = Feed(RATE, 60.0, 0.0), b""
    for number, length in enumerate(lengths, 1):
        piece = number.to_bytes(2, "little") * length
        pushed += piece
        feed.push(piece, 0.0)
    assert max((chunk.seconds for chunk in feed.buffer._chunks), default=0) <= 1.0
    assert send(feed) == pushed


def test_audio_is_marked_as_voice_as_pause_or_as_silence_that_may_go_first() -> None:
    feed = Feed(RATE, 60.0, 0.0)
    for seconds, sample in ((0.5, VOICE), (QUIET_S, SILENCE), (0.5, SILENCE)):
        feed.push(pcm(seconds, sample), 0.0)
    assert [(chunk.voiced, chunk.droppable) for chunk in feed.buffer._chunks] == [
        (True, False),
        (False, False),
        (False, True),
    ]


def test_a_piece_is_voice_wherever_in_it_somebody_is_heard() -> None:
    feed = Feed(RATE, 60.0, 0.0)
    for parts in ((VOICE, SILENCE), (SILENCE, VOICE), (SILENCE, SILENCE)):
        feed.push(b"".join(pcm(0.4, sample) for sample in parts), 0.0)
    assert [chunk.voiced for chunk in feed.buffer._chunks] == [True, True, False]


def test_an_overflow_is_told_once_until_the_server_is_heard_of_again() -> None:
    feed = Feed(RATE, 2.0, 0.0)
    assert [feed.push(pcm(1.0), 0.0) for _ in range(5)] == [False, False, True, False, False]
    feed.flows()
    assert any(feed.push(pcm(1.0), 0.0) for _ in range(2))


@given(st.floats(0.001, 5))
def test_silence_is_whole_samples_of_about_the_length_asked_for(seconds: float) -> None:
    feed = Feed(RATE, 60.0, 0.0)
    made_s = feed.push_silence(seconds)
    assert made_s == pytest.approx(seconds, abs=1 / RATE)
    assert send(feed) == bytes(2 * round(made_s * RATE))


def test_what_was_sent_is_counted_with_silence_and_replay_told_apart() -> None:
    feed = Feed(RATE, 60.0, 0.0)
    feed.push(pcm(1.0), 0.0)
    feed.push_silence(0.5)
    send(feed)
    feed.buffer.rewind()
    send(feed)
    stats = feed.count(Stats(turns=3))
    assert (stats.sent_s, stats.silent_s, stats.replayed_s, stats.turns) == (3.0, 1.0, 1.5, 3)
    assert (stats.held_s, stats.backlog_s, stats.lost_s) == (1.5, 0.0, 0.0)


def test_usage_is_due_five_seconds_after_the_last_report_if_anything_was_sent() -> None:
    feed = Feed(RATE, 60.0, 100.0)
    assert feed.usage_at == math.inf
    feed.push(pcm(1.0), 100.0)
    send(feed)
    assert feed.usage_at == 100.0 + USAGE_EVERY_S
    assert feed.take_usage(107.0) == 1.0
    assert feed.usage_at == math.inf
    assert feed.take_usage(108.0) == 0.0


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 20))), st.floats(0, 12))
def test_marks_tell_how_many_words_were_known_before_a_position(notes: list[tuple[float, int]], at: float) -> None:
    marks = Marks()
    known: list[tuple[float, int]] = []
    for position, count in sorted(notes):
        marks.note(position, count)
        known.append((position, max(count, known[-1][1] if known else 0)))
    assert marks.words_before(at) == max((count for position, count in known if position <= at), default=0)


def test_marks_keep_the_first_position_of_a_word_and_forget_with_the_turn() -> None:
    marks = Marks()
    marks.note(10.0, 3)
    marks.note(20.0, 5)
    marks.note(5.0, 2)
    assert marks.words_before(10.0) == 3
    marks.note(12.0, 3)
    assert marks.words_before(19.0) == 3
    marks.clear()
    assert marks.words_before(99.0) == 0


def test_words_are_gone_with_the_audio_that_they_were_known_from_until_the_turn_is_settled() -> None:
    feed = Feed(RATE, 4.0, 0.0)
    feed.push(pcm(1.0), 0.0)
    send(feed)
    feed.words_known(2)
    assert feed.words_gone() == 0
    feed.push(pcm(3.5), 0.0)
    assert feed.buffer.begins_s >= 1.0
    assert feed.words_gone() == 2
    feed.settle(0.0, 0.0, finished=False)
    assert feed.words_gone() == 0


def test_a_turn_that_has_no_words_yet_can_lose_none() -> None:
    feed = Feed(RATE, 4.0, 0.0)
    feed.push(pcm(1.0), 0.0)
    send(feed)
    feed.words_known(2)
    feed.words_known(0)
    feed.push(pcm(3.5), 0.0)
    assert feed.words_gone() == 0

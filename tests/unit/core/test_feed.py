"""Audio on its way: kept as it is, counted when it is sent, told once when there is too much."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.core.chunk import ONSET_S
from livekit.plugins.cartesia_turns.core.chunking import LONGEST_CHUNK_S
from livekit.plugins.cartesia_turns.core.feed import SILENCE_S, USAGE_EVERY_S, Feed
from livekit.plugins.cartesia_turns.core.settling import Receipts
from livekit.plugins.cartesia_turns.core.stats import Stats

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
def test_audio_of_any_length_is_sent_as_it_is_in_short_pieces(lengths: list[int]) -> None:
    feed, pushed = Feed(RATE, 60.0, 0.0), b""
    for number, length in enumerate(lengths, 1):
        piece = number.to_bytes(2, "little") * length
        pushed += piece
        feed.push(piece, 0.0)
    assert max((chunk.seconds for chunk in feed.buffer._chunks), default=0) <= LONGEST_CHUNK_S
    assert send(feed) == pushed


def test_what_lies_right_before_speech_is_known_as_its_onset() -> None:
    feed = Feed(RATE, 60.0, 0.0)
    for _ in range(20):
        feed.push(pcm(0.1, SILENCE), 0.0)
    feed.push(pcm(0.1, VOICE), 0.0)
    onset = [chunk.is_onset for chunk in feed.buffer._chunks][-6:]
    assert onset == [False, False, True, True, True, True]


def test_a_piece_that_reaches_into_the_onset_of_speech_is_kept_whole() -> None:
    feed = Feed(RATE, 60.0, 0.0)
    for _ in range(15):
        feed.push(pcm(0.16, SILENCE), 0.0)
    feed.push(pcm(0.16, VOICE), 0.0)
    kept = [chunk for chunk in feed.buffer._chunks if chunk.is_onset]
    assert kept[-1].voiced
    assert kept[-1].start - kept[0].start >= round(ONSET_S * RATE)
    assert len(kept) == 3


def test_an_overflow_leaves_the_onset_of_the_speech_that_brings_it() -> None:
    feed = Feed(RATE, 2.0, 0.0)
    for _ in range(20):
        feed.push(pcm(0.1, SILENCE), 0.0)
    feed.push(pcm(0.1, VOICE), 0.0)
    voice = feed.buffer._chunks[-1]
    onset = [chunk.start for chunk in feed.buffer._chunks if voice.start - round(ONSET_S * RATE) <= chunk.start]
    assert onset == [voice.start - round(0.1 * RATE) * number for number in (3, 2, 1, 0)]
    assert feed.buffer.lost_s > 0


def test_silence_that_waits_makes_room_for_audio_that_was_only_late_but_for_that_of_a_flush() -> None:
    feed = Feed(RATE, 60.0, 0.0)
    feed.push_silence(0.5, for_good=True)
    feed.push_silence(0.3)
    feed.push(pcm(0.2), 0.0)
    assert [chunk.injected for chunk in feed.buffer._chunks] == [True] * round(0.5 / SILENCE_S) + [False]
    send(feed)
    feed.push_silence(0.3)
    send(feed)
    feed.push(pcm(0.2), 0.0)
    assert feed.buffer.held_s == pytest.approx(1.2)


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
    stats = Stats(turns=3, **feed.counts())
    assert (stats.sent_s, stats.silent_s, stats.replayed_s) == pytest.approx((3.0, 1.0, 1.5))
    assert stats.turns == 3
    assert (stats.held_s, stats.backlog_s, stats.lost_s) == (1.5, 0.0, 0.0)


def test_usage_is_due_five_seconds_after_the_last_report_if_anything_was_sent() -> None:
    feed = Feed(RATE, 60.0, 100.0)
    assert feed.usage_at() == math.inf
    assert feed.usage_at(live=320) == 100.0 + USAGE_EVERY_S
    feed.push(pcm(1.0), 100.0)
    send(feed)
    assert feed.usage_at() == 100.0 + USAGE_EVERY_S
    assert feed.take_usage(107.0) == 1.0
    assert feed.usage_at() == math.inf
    assert feed.take_usage(108.0) == 0.0


def test_text_is_gone_with_the_audio_that_it_was_known_from_until_the_turn_is_settled() -> None:
    feed = Feed(RATE, 4.0, 0.0)
    feed.push(pcm(1.0), 0.0)
    send(feed)
    feed.text_known(2)
    assert feed.text_gone() == 0
    feed.push(pcm(4.5), 0.0)
    assert feed.buffer.begins >= RATE
    assert feed.text_gone() == 2
    feed.settle(Receipts(), 0.0)
    assert feed.text_gone() == 0


def test_a_turn_that_has_no_words_yet_can_lose_none() -> None:
    feed = Feed(RATE, 4.0, 0.0)
    feed.push(pcm(1.0), 0.0)
    send(feed)
    feed.text_known(2)
    feed.text_known(0)
    feed.push(pcm(3.5), 0.0)
    assert feed.text_gone() == 0


@pytest.mark.parametrize("finishing", [False, True])
def test_what_is_kept_of_the_last_turn_may_be_its_last_word_where_the_server_was_asked_to_finish(
    finishing: bool,
) -> None:
    feed, receipts = Feed(RATE, 60.0, 0.0), Receipts()
    for number in range(100):
        feed.push(pcm(0.02), 0.02 * number)
        send(feed, 0.02 * number)
        if number in (60, 99):
            receipts.asked(feed.buffer.sent_to, 0.02 * number)
    receipts.answered(1.2, 1.25)
    # The answer to the ping took 30 ms longer than the end of the turn, so the last frame or two may be unheard.
    assert feed.settle(receipts, 2.0, finishing=finishing) == (round(1.96 * RATE) if finishing else None)
    assert feed.buffer.begins == round(1.76 * RATE)

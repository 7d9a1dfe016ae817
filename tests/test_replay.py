"""The audio queue against a model: order is kept, nothing goes twice without a rewind, what is dropped is counted."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from livekit.plugins.cartesia_turns.replay import PAUSE_S, ROOM_AFTER_OVERFLOW, TAIL_S, Chunk, ReplayBuffer

LIMIT_S = 8.0
SECONDS = [0.125, 0.25, 0.5, 1.0]
"""Sums of these are exact."""


def fill(buffer: ReplayBuffer, pattern: str, seconds: float = 0.1) -> None:
    """Appends a chunk for each letter: v voice, s silence, d silence that may go first, i injected silence."""
    for number, kind in enumerate(pattern):
        pcm = f"{number}".encode()
        buffer.append(Chunk(pcm, seconds, voiced=kind == "v", droppable=kind in "di", injected=kind == "i"))


def send(buffer: ReplayBuffer, *, now: float = 0.0, pace_s: float = 0.0, count: int = 10**6) -> list[str]:
    """Sends what waits, a chunk every `pace_s`."""
    sent: list[str] = []
    while (chunk := buffer.peek()) is not None and len(sent) < count:
        sent.append(chunk.pcm.decode())
        buffer.advance(chunk, now)
        now += pace_s
    return sent


class AgainstAModel(RuleBasedStateMachine):
    """The model is a list of what was appended, with a first, a cursor and what went missing in between."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = ReplayBuffer(LIMIT_S)
        self.now = 0.0
        self.appended: list[Chunk] = []
        self.sent: list[int] = []
        self.ever_sent: set[int] = set()

    def number(self, chunk: Chunk) -> int:
        return int(chunk.pcm)

    def position_s(self, chunk: Chunk) -> float:
        return sum(earlier.seconds for earlier in self.appended[: self.number(chunk)])

    def held(self) -> list[Chunk]:
        return list(self.buffer._chunks)

    @rule(seconds=st.sampled_from(SECONDS), voiced=st.booleans(), droppable=st.booleans(), injected=st.booleans())
    def append(self, seconds: float, voiced: bool, droppable: bool, injected: bool) -> None:
        quiet = not voiced
        chunk = Chunk(
            str(len(self.appended)).encode(),
            seconds,
            voiced,
            droppable=quiet and droppable,
            injected=quiet and injected,
        )
        self.appended.append(chunk)
        self.buffer.append(chunk)

    @precondition(lambda self: self.buffer.has_backlog)
    @rule(wait_s=st.sampled_from([0.0, 0.125, 1.0]), meanwhile_s=st.sampled_from([0.0, 0.0, 2.0, LIMIT_S]))
    def send(self, wait_s: float, meanwhile_s: float) -> None:
        chunk = self.buffer.peek()
        assert chunk is not None
        number = self.number(chunk)
        assert not self.sent or number > self.sent[-1], "out of order, or twice without a rewind"
        if meanwhile_s:
            self.append(meanwhile_s, voiced=True, droppable=False, injected=False)
        self.now += wait_s
        assert self.buffer.advance(chunk, self.now) == (number in self.ever_sent)
        self.sent.append(number)
        self.ever_sent.add(number)

    @rule()
    def rewind(self) -> None:
        first = self.held()[:1]
        self.buffer.rewind()
        self.sent.clear()
        assert self.buffer.peek() is (first[0] if first else None)

    @rule(ago_s=st.sampled_from([0.0, 0.5, 2.0]))
    def settle(self, ago_s: float) -> None:
        waiting_s = self.buffer.backlog_s
        self.buffer.settle(self.now - ago_s - 0.5, self.now - ago_s)
        assert self.buffer.backlog_s == waiting_s
        assert all(chunk.sent_at is None or self.number(chunk) in self.ever_sent for chunk in self.held())

    @rule(ago_s=st.sampled_from([0.0, 0.5, 2.0]), keep_s=st.sampled_from([0.0, 1.0]))
    def forget_idle(self, ago_s: float, keep_s: float) -> None:
        given_s = self.buffer.held_s - self.buffer.backlog_s
        waiting_s = self.buffer.backlog_s
        self.buffer.forget_idle(keep_s, self.now - ago_s)
        assert self.buffer.backlog_s == waiting_s
        assert self.buffer.held_s - self.buffer.backlog_s >= min(given_s, keep_s)

    @invariant()
    def is_bounded(self) -> None:
        assert self.buffer.held_s <= LIMIT_S

    @invariant()
    def counts_are_exact(self) -> None:
        held = self.held()
        waiting = held[self.buffer._cursor :]
        assert self.buffer.held_s == sum(chunk.seconds for chunk in held)
        assert self.buffer.backlog_s == sum(chunk.seconds for chunk in waiting)
        assert self.buffer.has_backlog == bool(waiting)
        ends_s = sum(chunk.seconds for chunk in self.appended)
        assert self.buffer.begins_s == (self.position_s(held[0]) if held else ends_s)
        assert self.buffer.sent_to_s == (self.position_s(waiting[0]) if waiting else ends_s)
        never_sent_s = sum(
            chunk.seconds
            for chunk in self.appended
            if chunk not in held and self.number(chunk) not in self.ever_sent and not chunk.injected
        )
        users_s = sum(chunk.seconds for chunk in self.appended if not chunk.injected)
        assert never_sent_s <= self.buffer.lost_s <= users_s

    @invariant()
    def order_is_kept(self) -> None:
        numbers = [self.number(chunk) for chunk in self.held()]
        assert numbers == sorted(set(numbers))


TestAgainstAModel = AgainstAModel.TestCase


def test_a_new_socket_is_given_all_that_is_held_in_order() -> None:
    buffer = ReplayBuffer(60)
    fill(buffer, "vvvv")
    assert send(buffer, count=3) == ["0", "1", "2"]
    buffer.rewind()
    assert send(buffer) == ["0", "1", "2", "3"]


def test_over_the_limit_silence_that_waits_goes_before_speech() -> None:
    buffer = ReplayBuffer(1.0)
    fill(buffer, "vvdvdvvvvvv")
    assert send(buffer) == ["0", "1", "3", "5", "6", "7", "8", "9", "10"]
    assert buffer.lost_s == pytest.approx(0.2)


def test_silence_that_goes_from_the_middle_does_not_move_where_the_queue_begins() -> None:
    buffer = ReplayBuffer(1.0)
    fill(buffer, "vvvddddvvvvv")
    assert buffer.held_s < 1.2
    assert buffer.begins_s == 0
    assert send(buffer, count=3) == ["0", "1", "2"]
    assert buffer.sent_to_s > 0.3


def test_audio_dropped_while_it_is_being_sent_was_sent_and_what_follows_it_is_sent_too() -> None:
    buffer = ReplayBuffer(1.0)
    fill(buffer, "v" * 10)
    chunk = buffer.peek()
    assert chunk is not None
    fill(buffer, "v")
    assert buffer.lost_s == pytest.approx(0.2)
    buffer.advance(chunk, 0.0)
    assert buffer.lost_s == pytest.approx(0.1)
    assert send(buffer) == ["2", "3", "4", "5", "6", "7", "8", "9", "0"]
    buffer.rewind()
    assert buffer.lost_s == pytest.approx(0.2)


def test_over_the_limit_the_newest_speech_survives() -> None:
    buffer = ReplayBuffer(1.0)
    fill(buffer, "v" * 25)
    kept = send(buffer)
    assert kept[-1] == "24"
    assert 1.0 * ROOM_AFTER_OVERFLOW - 0.1 <= len(kept) * 0.1 <= 1.0
    assert buffer.lost_s == pytest.approx(2.5 - len(kept) * 0.1)


def test_injected_silence_that_is_dropped_is_no_loss() -> None:
    buffer = ReplayBuffer(1.0)
    fill(buffer, "vvvvvviiiiiii")
    assert buffer.lost_s == 0


def test_audio_that_was_sent_is_lost_only_when_a_new_socket_needs_it() -> None:
    buffer = ReplayBuffer(1.0)
    fill(buffer, "v" * 10)
    send(buffer)
    fill(buffer, "vv")
    assert buffer.lost_s == 0
    buffer.rewind()
    assert buffer.lost_s == pytest.approx(buffer.begins_s)
    buffer.rewind()
    assert buffer.lost_s == pytest.approx(buffer.begins_s)


def test_audio_that_was_sent_and_settled_is_not_lost() -> None:
    buffer = ReplayBuffer(1.0)
    fill(buffer, "v" * 10)
    send(buffer)
    fill(buffer, "vv")
    buffer.settle(100.0, 100.0)
    buffer.rewind()
    assert buffer.lost_s == 0


@pytest.mark.parametrize(
    ("audio", "left"),
    [
        pytest.param("vvvvsssss", 2, id="the end of the pause stays"),
        pytest.param("vvvvsssssvv", 4, id="and what follows it"),
        pytest.param("vvvvsssssvsv", 5, id="a short pause ends no turn"),
        pytest.param("vvvvvvvvvvvvvvv", 10, id="without a pause all that the server may not have heard stays"),
    ],
)
def test_the_end_of_a_turn_settles_what_lies_before_its_last_pause(audio: str, left: int) -> None:
    buffer = ReplayBuffer(60)
    fill(buffer, audio)
    send(buffer, pace_s=0.1)
    fill(buffer, "v")
    now = len(audio) * 0.1
    buffer.settle(now - 1.05, now)
    assert buffer.held_s == pytest.approx(0.1 * left + 0.1)
    assert TAIL_S < PAUSE_S


def test_a_pause_that_the_server_can_not_have_heard_settles_nothing() -> None:
    buffer = ReplayBuffer(60)
    fill(buffer, "vvvvsssssvvsssss")
    send(buffer, pace_s=0.1)
    buffer.settle(0.35, heard_by=1.05)
    assert buffer.held_s == pytest.approx(0.1 * 9)


@pytest.mark.parametrize("heard_by", [1.15, 0.55])
def test_the_only_pause_there_is_ends_the_turn_although_slow_round_trips_say_that_it_was_not_heard(
    heard_by: float,
) -> None:
    buffer = ReplayBuffer(60)
    fill(buffer, "sssssvvvvsssssvv")
    send(buffer, pace_s=0.1)
    buffer.settle(0.65, heard_by)
    assert buffer.held_s == pytest.approx(0.1 * 5)


def test_while_idle_the_last_second_that_is_confirmed_stays() -> None:
    buffer = ReplayBuffer(60)
    fill(buffer, "s" * 40, 0.125)
    send(buffer, pace_s=0.125)
    buffer.forget_idle(1.0, before=3.875)
    assert buffer.begins_s == 3.0


@pytest.mark.parametrize(("audio", "begins_s"), [("s" * 16 + "vv" + "s" * 22, 1.0), ("vv" + "s" * 46, 5.0)])
def test_while_idle_a_voice_of_the_last_seconds_stays_whole_since_the_server_may_be_behind(
    audio: str, begins_s: float
) -> None:
    buffer = ReplayBuffer(60)
    fill(buffer, audio, 0.125)
    send(buffer, pace_s=0.125)
    buffer.forget_idle(1.0, before=len(audio) * 0.125)
    assert buffer.begins_s == begins_s


def test_only_the_last_chunk_says_whether_there_is_news() -> None:
    buffer = ReplayBuffer(60)
    assert not buffer.has_unsent
    fill(buffer, "v")
    assert buffer.has_unsent
    send(buffer)
    buffer.rewind()
    assert buffer.has_backlog
    assert not buffer.has_unsent
    assert buffer.has_voice


@pytest.mark.parametrize(
    ("audio", "before", "heard_by", "begins_s"),
    [
        pytest.param("vvvvssssssvvvvvvvv", 1.4, 1.7, 1.0 - TAIL_S, id="in the midst of the next turn's speech"),
        pytest.param("vvssssvvvvvsss", 1.1, 1.4, 1.2, id="in a silence too short for a pause, one behind it"),
        pytest.param("vvssssvvvvvvvvssssss", 1.1, 1.3, 1.2, id="before a pause, which it may mean all the same"),
        pytest.param("vvssssvvvvvvvvssssssvv", 1.1, 1.3, 1.2, id="before such a pause, with speech behind it"),
        pytest.param("vvssss" + "v" * 30, 3.25, 3.55, 3.3, id="too late to tell which pause it means"),
    ],
)
def test_a_turn_end_that_comes_after_its_pause_settles_up_to_that_only_where_it_is_the_last_one(
    audio: str, before: float, heard_by: float, begins_s: float
) -> None:
    buffer = ReplayBuffer(LIMIT_S)
    fill(buffer, audio)
    send(buffer, pace_s=0.1)
    buffer.settle(before, heard_by)
    assert buffer.begins_s == pytest.approx(begins_s)

"""The audio queue against a model: order is kept, nothing goes twice without a rewind, what is dropped is counted."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from livekit.plugins.cartesia_turns.core.audio_queue import ROOM_AFTER_OVERFLOW, ReplayBuffer
from livekit.plugins.cartesia_turns.core.chunk import Chunk, Stretch
from livekit.plugins.cartesia_turns.core.runs import Run

RATE = 1000
LIMIT_S = 8.0
SECONDS = [0.125, 0.25, 0.5, 1.0]


def chunk_of(number: int, seconds: float, *, voiced: bool, droppable: bool = False, injected: bool = False) -> Chunk:
    """Audio whose samples all are `number`."""
    pcm = number.to_bytes(2, "little") * round(seconds * RATE)
    return Chunk(pcm, seconds, voiced, droppable=droppable, injected=injected)


def number_of(chunk: Chunk) -> int:
    return int.from_bytes(chunk.pcm[:2], "little")


def fill(buffer: ReplayBuffer, pattern: str, seconds: float = 0.1, first: int = 1) -> None:
    """Appends a chunk for each letter: v voice, s silence, d silence that may go first, i injected silence."""
    for number, kind in enumerate(pattern, first):
        buffer.append(chunk_of(number, seconds, voiced=kind == "v", droppable=kind in "di", injected=kind == "i"))


def send(buffer: ReplayBuffer, *, now: float = 0.0, pace_s: float = 0.0, count: int = 10**6) -> list[int]:
    """Sends what waits, a chunk every `pace_s`."""
    sent: list[int] = []
    while (chunk := buffer.peek()) is not None and len(sent) < count:
        sent.append(number_of(chunk))
        buffer.advance(chunk, now)
        now += pace_s
    return sent


class AgainstAModel(RuleBasedStateMachine):
    """The model is a list of what was appended, by sample, and of what was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = ReplayBuffer(LIMIT_S, RATE)
        self.now = 0.0
        self.appended: list[Chunk] = []
        self.starts: list[int] = []
        self.ends = 0
        self.sent: list[int] = []
        self.ever_sent: set[int] = set()

    def held(self) -> list[Chunk]:
        return list(self.buffer._chunks)

    @rule(seconds=st.sampled_from(SECONDS), voiced=st.booleans(), droppable=st.booleans(), injected=st.booleans())
    def append(self, seconds: float, voiced: bool, droppable: bool, injected: bool) -> None:
        quiet = not voiced
        number = len(self.appended) + 1
        chunk = chunk_of(number, seconds, voiced=voiced, droppable=quiet and droppable, injected=quiet and injected)
        self.appended.append(chunk)
        self.starts.append(self.ends)
        self.ends += chunk.samples
        self.buffer.append(chunk)

    @precondition(lambda self: self.buffer.has_backlog)
    @rule(wait_s=st.sampled_from([0.0, 0.125, 1.0]), meanwhile_s=st.sampled_from([0.0, 0.0, 2.0, LIMIT_S]))
    def send(self, wait_s: float, meanwhile_s: float) -> None:
        chunk = self.buffer.peek()
        assert chunk is not None
        number = number_of(chunk)
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

    @rule(part=st.floats(0, 1.2))
    def settle(self, part: float) -> None:
        waiting_s, sent_to = self.buffer.backlog_s, self.buffer.sent_to
        position = round(self.buffer.begins + part * (sent_to - self.buffer.begins))
        self.buffer.settle(position)
        assert self.buffer.backlog_s == waiting_s
        assert self.buffer.begins >= min(position, sent_to) or not self.held()

    @rule(ago=st.sampled_from([0, 500, 2000]), keep_s=st.sampled_from([0.0, 1.0]))
    def forget_idle(self, ago: int, keep_s: float) -> None:
        waiting_s = self.buffer.backlog_s
        before = self.buffer.sent_to - ago
        first = before - round(keep_s * RATE)
        sent = self.held()[: self.buffer._cursor]
        wanted = sum(min(chunk.samples, max(0, chunk.start + chunk.samples - first)) for chunk in sent)
        self.buffer.forget_idle(keep_s, before, before - 1000)
        assert self.buffer.backlog_s == waiting_s
        assert (self.buffer.held_s - waiting_s) * RATE >= wanted - 1

    @precondition(lambda self: self.held() and self.buffer.has_backlog)
    @rule()
    def drop_waiting_silence(self) -> None:
        self.buffer.drop_waiting_silence(0)
        held = self.held()
        assert not self.buffer.has_backlog or not held[-1].injected

    @invariant()
    def is_bounded(self) -> None:
        assert self.buffer.held_s <= LIMIT_S

    @invariant()
    def counts_are_exact(self) -> None:
        held = self.held()
        waiting = held[self.buffer._cursor :]
        assert self.buffer.held_s * RATE == pytest.approx(sum(chunk.samples for chunk in held))
        assert self.buffer.backlog_s * RATE == pytest.approx(sum(chunk.samples for chunk in waiting))
        assert self.buffer.has_backlog == bool(waiting)
        assert self.buffer.ends == self.ends
        users_s = sum(chunk.seconds for chunk in self.appended if not chunk.injected)
        numbers = {number_of(chunk) for chunk in held}
        never_sent_s = sum(
            chunk.seconds
            for number, chunk in enumerate(self.appended, 1)
            if number not in numbers and number not in self.ever_sent and not chunk.injected
        )
        assert never_sent_s <= self.buffer.lost_s + 1e-9
        assert self.buffer.lost_s <= users_s + 1e-9

    @invariant()
    def order_and_positions_are_kept(self) -> None:
        numbers = [number_of(chunk) for chunk in self.held()]
        assert numbers == sorted(set(numbers))
        for chunk in self.held():
            whole = self.appended[number_of(chunk) - 1]
            assert chunk.start + chunk.samples == self.starts[number_of(chunk) - 1] + whole.samples

    @invariant()
    def runs_cover_what_is_held_without_gaps(self) -> None:
        runs = list(self.buffer.runs)
        assert [run.end for run in runs[:-1]] == [run.start for run in runs[1:]]
        assert not runs or runs[-1].end == self.ends
        assert not self.held() or runs[0].start <= self.buffer.begins


TestAgainstAModel = AgainstAModel.TestCase


def test_a_new_socket_is_given_all_that_is_held_in_order() -> None:
    buffer = ReplayBuffer(60, RATE)
    fill(buffer, "vvvv")
    assert send(buffer, count=3) == [1, 2, 3]
    buffer.rewind()
    assert send(buffer) == [1, 2, 3, 4]


def test_over_the_limit_silence_that_waits_goes_before_speech() -> None:
    buffer = ReplayBuffer(1.0, RATE)
    fill(buffer, "vvdvdvvvvvv")
    assert send(buffer) == [1, 2, 4, 6, 7, 8, 9, 10, 11]
    assert buffer.lost_s == pytest.approx(0.2)


def test_over_the_limit_silence_goes_before_speech_that_was_sent_and_may_be_wanted_again() -> None:
    buffer = ReplayBuffer(1.0, RATE)
    fill(buffer, "vvdvd")
    send(buffer)
    fill(buffer, "vvvvvv", first=6)
    assert send(buffer) == [6, 7, 8, 9, 10, 11]
    assert buffer.lost_s == 0
    buffer.rewind()
    assert send(buffer) == [1, 2, 4, 6, 7, 8, 9, 10, 11]
    assert buffer.lost_s == pytest.approx(0.2)


def test_over_the_limit_the_onset_of_speech_is_no_silence() -> None:
    buffer = ReplayBuffer(1.0, RATE)
    fill(buffer, "vvddd")
    buffer.keep_onset(RATE // 10)
    fill(buffer, "vvvvvv", first=6)
    assert send(buffer) == [1, 2, 5, 6, 7, 8, 9, 10, 11]


def test_silence_that_goes_from_the_middle_does_not_move_where_the_queue_begins() -> None:
    buffer = ReplayBuffer(1.0, RATE)
    fill(buffer, "vvvddddvvvvv")
    assert buffer.held_s < 1.2
    assert buffer.begins == 0


def test_audio_dropped_while_it_is_being_sent_was_sent_and_what_follows_it_is_sent_too() -> None:
    buffer = ReplayBuffer(1.0, RATE)
    fill(buffer, "v" * 10)
    chunk = buffer.peek()
    assert chunk is not None
    fill(buffer, "v", first=11)
    assert buffer.lost_s == pytest.approx(0.2)
    buffer.advance(chunk, 0.0)
    assert buffer.lost_s == pytest.approx(0.1)
    assert send(buffer) == [3, 4, 5, 6, 7, 8, 9, 10, 11]
    buffer.rewind()
    assert buffer.lost_s == pytest.approx(0.2)


def test_over_the_limit_the_newest_speech_survives() -> None:
    buffer = ReplayBuffer(1.0, RATE)
    fill(buffer, "v" * 25)
    kept = send(buffer)
    assert kept[-1] == 25
    assert 1.0 * ROOM_AFTER_OVERFLOW - 0.1 <= len(kept) * 0.1 <= 1.0
    assert buffer.lost_s == pytest.approx(2.5 - len(kept) * 0.1)


def test_injected_silence_that_is_dropped_is_no_loss() -> None:
    buffer = ReplayBuffer(1.0, RATE)
    fill(buffer, "vvvvvviiiiiii")
    assert buffer.lost_s == 0


def test_audio_that_was_sent_is_lost_only_when_a_new_socket_needs_it() -> None:
    buffer = ReplayBuffer(1.0, RATE)
    fill(buffer, "v" * 10)
    send(buffer)
    fill(buffer, "vv")
    assert buffer.lost_s == 0
    buffer.rewind()
    assert buffer.lost_s == pytest.approx(buffer.begins / RATE)
    buffer.rewind()
    assert buffer.lost_s == pytest.approx(buffer.begins / RATE)


def test_audio_that_was_sent_and_settled_is_not_lost() -> None:
    buffer = ReplayBuffer(1.0, RATE)
    fill(buffer, "v" * 10)
    send(buffer)
    fill(buffer, "vv")
    buffer.settle(buffer.sent_to)
    buffer.rewind()
    assert buffer.lost_s == 0


@pytest.mark.parametrize("seconds", [0.01, 0.05, 0.16, 0.8])
def test_a_turn_is_settled_to_the_sample_however_long_the_pieces_are(seconds: float) -> None:
    buffer = ReplayBuffer(60, RATE)
    fill(buffer, "v" * round(1.6 / seconds), seconds)
    send(buffer)
    buffer.settle(1234)
    assert buffer.begins == 1234
    assert buffer.held_s == pytest.approx(1.6 - 1.234)
    buffer.rewind()
    assert sum(chunk.samples for chunk in buffer._chunks) == 1600 - 1234


def test_audio_that_waits_is_never_settled() -> None:
    buffer = ReplayBuffer(60, RATE)
    fill(buffer, "vvvv")
    send(buffer, count=2)
    buffer.settle(400)
    assert buffer.begins == 200
    assert send(buffer) == [3, 4]


def test_a_time_tells_up_to_where_audio_had_been_sent() -> None:
    buffer = ReplayBuffer(60, RATE)
    fill(buffer, "vvvv")
    send(buffer, now=10.0, pace_s=1.0, count=3)
    assert [buffer.sent_by(when) for when in (9.9, 10.0, 11.5, 99.0)] == [0, 100, 200, 300]


def test_parts_of_a_piece_are_booked_as_voice_and_silence() -> None:
    buffer = ReplayBuffer(60, RATE)
    buffer.append(
        chunk_of(1, 0.1, voiced=True),
        [Stretch(40, 0.04, voiced=True, power=1.0), Stretch(60, 0.06, voiced=False, power=0.0)],
    )
    buffer.append(chunk_of(2, 0.1, voiced=False))
    assert list(buffer.runs) == [Run(0, 40, voiced=True), Run(40, 200, voiced=False)]


def test_while_idle_the_last_second_that_is_confirmed_stays() -> None:
    buffer = ReplayBuffer(60, RATE)
    fill(buffer, "s" * 40, 0.125)
    send(buffer)
    buffer.forget_idle(1.0, before=4000, unheard_from=0)
    assert buffer.begins == 3000


@pytest.mark.parametrize(("audio", "begins_s"), [("s" * 16 + "vv" + "s" * 22, 1.0), ("vv" + "s" * 46, 5.0)])
def test_while_idle_a_voice_of_the_last_seconds_stays_whole_since_the_server_may_be_behind(
    audio: str, begins_s: float
) -> None:
    buffer = ReplayBuffer(60, RATE)
    fill(buffer, audio, 0.125)
    send(buffer)
    buffer.forget_idle(1.0, before=len(audio) * 125, unheard_from=len(audio) * 125 - 5000)
    assert buffer.begins == begins_s * RATE
    assert buffer.has_voice == (begins_s == 1.0)


def test_only_the_last_chunk_says_whether_there_is_news() -> None:
    buffer = ReplayBuffer(60, RATE)
    assert not buffer.has_unsent
    fill(buffer, "v")
    assert buffer.has_unsent
    send(buffer)
    buffer.rewind()
    assert buffer.has_backlog
    assert not buffer.has_unsent
    assert buffer.has_voice


def test_digital_silence_alone_is_no_sound_and_whatever_else_is_one() -> None:
    buffer = ReplayBuffer(60, RATE)
    buffer.append(Chunk(bytes(200), 0.1, voiced=False))
    assert not buffer.has_sound
    buffer.append(Chunk(bytes(198) + b"\1\0", 0.1, voiced=False))
    assert buffer.has_sound
    assert buffer.sound_end == 200
    send(buffer)
    buffer.settle(200)
    assert not buffer.has_sound


def test_what_went_over_the_limit_in_a_turn_is_no_loss_once_the_turn_was_none() -> None:
    buffer = ReplayBuffer(2, RATE)
    for _ in range(40):
        fill(buffer, "v", 0.125)
        send(buffer)
    buffer.forget_idle(1.0, before=4500, unheard_from=4500)
    buffer.rewind()
    assert buffer.lost_s == 0


def test_what_went_over_the_limit_and_may_still_start_a_turn_is_a_loss_and_no_more() -> None:
    buffer = ReplayBuffer(2, RATE)
    for _ in range(40):
        fill(buffer, "v", 0.125)
        send(buffer)
    begins = buffer.begins
    buffer.forget_idle(0.0, before=5000, unheard_from=begins - 250)
    buffer.rewind()
    assert buffer.lost_s == 0.25


def test_stretches_are_known_of_the_audio_held_alone_however_long_a_turn_lasts() -> None:
    buffer = ReplayBuffer(2, RATE)
    for _ in range(200):
        fill(buffer, "vs", 0.125)
        send(buffer)
    runs = list(buffer.runs)
    assert len(runs) <= 2 / 0.125
    assert runs[0].start <= buffer.begins < runs[0].end


def test_where_speech_would_have_to_go_silence_right_before_other_speech_goes_first() -> None:
    buffer = ReplayBuffer(2.0, RATE)
    for voiced, seconds in ((True, 0.5), (False, 1.0), (True, 0.5)):
        for _ in range(round(seconds / 0.1)):
            chunk = Chunk(bytes(2 * round(0.1 * RATE)), 0.1, voiced, droppable=not voiced)
            if voiced:
                chunk.is_onset = True
                buffer.keep_onset(round(0.3 * RATE))
            buffer.append(chunk)
    for _ in range(8):
        buffer.append(Chunk(bytes(2 * round(0.1 * RATE)), 0.1, voiced=True))
    kept = []
    while (next_one := buffer.peek()) is not None:
        kept.append(next_one.voiced)
        buffer.advance(next_one, 0.0)
    assert kept.count(True) == 18

"""The client at work, without a socket: what the issues promise of a stream, one scenario each."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from livekit.plugins.cartesia_turns.core.audio_queue import ONSET_S, ROOM_AFTER_OVERFLOW, UNHEARD_S, Chunk
from livekit.plugins.cartesia_turns.core.client import MOST_LOST_ENDS, Limits, TurnsClient
from livekit.plugins.cartesia_turns.core.configs import CLOSE_FOLLOWS_S, LONGEST_END_TIMEOUT_MS, Rejected
from livekit.plugins.cartesia_turns.core.events import Notice, Usage
from livekit.plugins.cartesia_turns.core.feed import PRE_ROLL_S, SILENCE_S, USAGE_EVERY_S
from livekit.plugins.cartesia_turns.core.flush import FLUSH_S, FLUSH_SILENCE_S, Flushed
from livekit.plugins.cartesia_turns.core.hangs import REPLACED_EVERY_S
from livekit.plugins.cartesia_turns.core.link import DRAIN_S, LONGEST_DRAIN_S, HangUp, Outgoing, Ping
from livekit.plugins.cartesia_turns.core.liveness import DEAD_AFTER_S
from livekit.plugins.cartesia_turns.core.pacing import BURST_S, CATCH_UP_SPEED
from livekit.plugins.cartesia_turns.core.timeouts import (
    GIVE_UP_AFTER_S,
    PACE_S,
    RESCUE_LINKED_S,
    RESCUE_S,
    STALLED_AFTER_S,
)
from livekit.plugins.cartesia_turns.core.turn import TurnEvent
from livekit.plugins.cartesia_turns.wire.messages import (
    Close,
    Config,
    Connected,
    ErrorMessage,
    ServerMessage,
    TurnEagerEnd,
    TurnEnd,
    TurnResume,
    TurnSettings,
    TurnStart,
    TurnUpdate,
    Unknown,
)
from livekit.plugins.cartesia_turns.wire.options import Options
from support.simulated_server import FRAME_S as SIMULATED_FRAME_S
from support.simulated_server import Noise

RATE = 8000
FRAME_S = 0.1
TIMEOUT_S = 0.64
OPTIONS = Options(sample_rate=RATE, turn=TurnSettings(end_timeout_ms=round(TIMEOUT_S * 1000)))
START = TurnStart("r")


class Scenario:
    """A client, its present time, and what it sent and said.

    Sockets take everything at once; a server only says what the test says.
    """

    def __init__(self, options: Options = OPTIONS, *, limits: Limits | None = None, linked: bool = True) -> None:
        self.now = 100.0
        self.client = TurnsClient(options, limits or Limits(), self.now)
        self.sent: list[Outgoing] = []
        self.told: list[str] = []
        self.notices: list[Notice] = []
        self.rejections: list[Rejected] = []
        self.usage_s = 0.0
        self.number = 0
        self.pongs = True
        if linked:
            self.open()

    @property
    def audio(self) -> list[int]:
        """The number of each frame that was sent, 0 for silence of the client's own."""
        return [
            abs(int.from_bytes(item.pcm[:2], "little", signed=True)) // 100
            for item in self.sent
            if isinstance(item, Chunk)
        ]

    @property
    def commands(self) -> list[Outgoing]:
        """What was sent beside audio and pings."""
        return [item for item in self.sent if not isinstance(item, Chunk | Ping)]

    def open(self) -> None:
        self.client.link_opened(self.client.options, self.now)
        self.say(Connected("r"))
        self.pump()

    def note(self) -> None:
        for event in self.client.take_events():
            if isinstance(event, TurnEvent):
                self.told.append(f"{event.kind.value} {event.transcript}".strip())
                self.usage_s += event.usage_s
            elif isinstance(event, Notice):
                self.notices.append(event)
            elif isinstance(event, Rejected):
                self.rejections.append(event)
            elif isinstance(event, Usage):
                self.usage_s += event.seconds

    def usage(self) -> float:
        """Seconds of audio that were told as sent since the last call."""
        self.client.report_usage(self.now)
        self.note()
        told_s, self.usage_s = self.usage_s, 0.0
        return told_s

    def say(self, *messages: ServerMessage) -> None:
        for message in messages:
            self.client.receive(message, self.now)
            self.note()
        self.pump()

    def pump(self) -> None:
        while (item := self.client.outgoing(self.now)) is not None:
            self.sent.append(item)
            self.client.sent(item, self.now)
            if isinstance(item, Ping) and self.pongs:
                self.client.pong(item.payload, self.now)

    def speak(self, seconds: float, *, is_silent: bool = False, answers: bool = True) -> None:
        """Pushes audio in real time. Each frame has a number in its first sample; speech has a gap now and then."""
        for _ in range(round(seconds / FRAME_S)):
            self.number += 1
            self.wait(FRAME_S, answers=answers)
            swing = b"\0\0" if is_silent else b"\0\x20\0\xe0" if self.number % 10 else b"\0\2\0\xfe"
            frame = bytearray((swing * round(RATE * FRAME_S))[: 2 * round(RATE * FRAME_S)])
            frame[:2] = (0 if is_silent else 100 * (self.number % 300)).to_bytes(2, "little")
            self.client.push_audio(bytes(frame), self.now)
            self.note()
            if answers:
                self.pump()

    def wait(self, seconds: float, *, answers: bool = True) -> None:
        """Lets time pass and does what is due meanwhile."""
        until = self.now + seconds
        for _ in range(10_000):
            wake = min(self.client.deadline, self.client.send_at if answers else math.inf)
            if wake > until:
                break
            self.now = max(self.now, wake)
            if self.now >= self.client.deadline:
                self.client.tick(self.now)
                self.note()
            if answers:
                self.pump()
        else:
            raise AssertionError("the client asks for ever")
        self.now = until

    def lose(self, *, clean: bool = False, leaving: bool = False) -> None:
        self.client.link_lost(self.now, clean=clean, leaving=leaving)
        self.note()
        self.sent.clear()


def in_turn(text: str = "a b", *, limits: Limits | None = None) -> Scenario:
    """A turn that has begun a second ago."""
    scenario = Scenario(limits=limits)
    scenario.speak(1.0)
    scenario.say(START, TurnUpdate("r", text))
    scenario.told.clear()
    return scenario


# Messages and turns.


def test_a_turn_goes_from_its_start_to_its_end() -> None:
    scenario = Scenario()
    scenario.say(START, TurnUpdate("r", "a"), TurnEagerEnd("r", "a"), TurnResume("r"), TurnEnd("r", "a b"))
    assert scenario.told == ["start", "update a", "eager_end a", "resume a", "end a b"]
    assert scenario.client.stats.turns == 1
    assert scenario.client.stats.turns_closed_by_us == 0


def test_a_turn_without_words_ends_without_any() -> None:
    scenario = Scenario()
    scenario.say(START, TurnEnd("r", ""))
    assert scenario.told == ["start", "end"]


def test_text_outside_a_turn_implies_its_start() -> None:
    scenario = Scenario()
    scenario.say(TurnUpdate("r", "a"), TurnEnd("r", "a"), TurnEnd("r", "b"), TurnEnd("r", ""), TurnResume("r"))
    assert scenario.told == ["start", "update a", "end a", "start", "end b"]
    assert scenario.client.stats.turns == 2


def test_what_is_unknown_or_an_error_moves_nothing() -> None:
    scenario = in_turn()
    scenario.say(Unknown("turn.paused"), ErrorMessage("m"))
    assert scenario.told == []
    assert scenario.client.turn.is_open


def test_the_request_id_is_the_last_that_a_server_named() -> None:
    scenario = Scenario()
    scenario.say(Connected("one"), TurnStart(""))
    assert scenario.client.request_id == "one"


def test_a_message_after_the_socket_was_lost_is_not_heard() -> None:
    scenario = in_turn()
    scenario.lose()
    scenario.say(TurnEnd("r", "late"))
    assert scenario.told == []


# Audio.


def test_audio_that_was_pushed_and_ended_before_the_socket_is_up_is_sent_and_closed() -> None:
    scenario = Scenario(linked=False)
    scenario.speak(0.3)
    scenario.client.end_input()
    assert scenario.client.wants_link
    assert not scenario.client.finished
    scenario.open()
    assert scenario.audio == [1, 2, 3]
    assert scenario.commands[-1] == Close()


def test_a_stream_that_ends_before_it_began_needs_no_socket() -> None:
    scenario = Scenario(linked=False)
    scenario.client.end_input()
    assert scenario.client.finished
    assert not scenario.client.wants_link


def test_a_minute_in_one_frame_is_cut_and_the_newest_of_it_survives() -> None:
    scenario = Scenario(linked=False, limits=Limits(buffer_s=10.0))
    scenario.client.push_audio(bytes(2 * RATE * 60), scenario.now)
    assert 9.0 <= scenario.client.stats.held_s <= 10.0
    assert scenario.client.stats.lost_s == pytest.approx(60 - scenario.client.stats.held_s)


# The watchdog.


def test_silence_is_sent_when_audio_stops_in_mid_turn_and_at_real_time_pace() -> None:
    scenario = in_turn()
    scenario.wait(0.49)
    assert scenario.client.stats.silent_s == 0
    scenario.wait(0.81)
    assert scenario.client.stats.silent_s == pytest.approx(1.3, abs=0.11)
    assert scenario.notices == [Notice.FEEDING]
    scenario.say(TurnEnd("r", "a b"))
    before = scenario.client.stats.silent_s
    scenario.wait(30)
    assert scenario.client.stats.silent_s == before
    assert scenario.told == ["end a b"]


def test_no_silence_is_sent_between_turns_or_while_audio_flows() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.wait(30)
    assert scenario.client.stats.silent_s == 0
    scenario.say(START)
    scenario.speak(3.0)
    assert scenario.client.stats.silent_s == 0.0 or scenario.notices == [Notice.FEEDING]


def test_audio_that_comes_back_ends_the_silence_and_the_log_says_so_once_a_gap() -> None:
    scenario = in_turn()
    scenario.wait(1.0)
    silent_s = scenario.client.stats.silent_s
    scenario.speak(1.0)
    assert scenario.client.stats.silent_s <= silent_s + PACE_S + 1e-9
    assert scenario.notices == [Notice.FEEDING]


def test_audio_that_was_only_late_stands_behind_no_more_silence_than_was_sent_by_then() -> None:
    scenario = in_turn()
    scenario.sent.clear()
    scenario.wait(1.2)
    silent_s = scenario.client.stats.silent_s
    for _ in range(12):
        scenario.number += 1
        scenario.client.push_audio(b"\0\x20\0\xe0" * (RATE // 20), scenario.now)
    scenario.wait(3.0, answers=True)
    assert 0.5 <= silent_s <= 1.2
    first = next(number for number, frame in enumerate(scenario.audio) if frame)
    between_s = sum(item.seconds for item in scenario.sent[:first] if isinstance(item, Chunk) and item.injected)
    assert between_s <= silent_s


def test_a_process_that_was_held_up_puts_no_silence_into_speech() -> None:
    scenario = in_turn()
    scenario.now += 0.8
    scenario.wait(0.0)
    scenario.client.push_audio(b"\1\1" * 100, scenario.now)
    scenario.pump()
    scenario.wait(0.4)
    assert scenario.client.stats.silent_s == 0
    assert not scenario.notices


def test_silence_that_ends_no_turn_closes_it_and_leaves_the_rest_behind() -> None:
    scenario = in_turn()
    scenario.wait(TIMEOUT_S + GIVE_UP_AFTER_S + 0.2)
    assert scenario.notices == [Notice.FEEDING, Notice.OVERDUE]
    assert scenario.told == ["end a b"]
    assert scenario.client.hang_up is HangUp.STALLED
    stats = scenario.client.stats
    assert (stats.overdue, stats.stalls, stats.turns_closed_by_us) == (1, 0, 1)
    scenario.say(TurnUpdate("r", "a b"), TurnEnd("r", "a b"))
    assert scenario.told == ["end a b"]


def test_the_replay_of_a_closed_turn_brings_only_words_that_are_new() -> None:
    scenario = in_turn()
    scenario.wait(TIMEOUT_S + GIVE_UP_AFTER_S + 0.2)
    scenario.lose()
    assert scenario.client.wants_link
    scenario.open()
    assert scenario.audio[0] == 1
    scenario.say(START, TurnUpdate("r", "a"), TurnUpdate("r", "a b"))
    assert scenario.told == ["end a b"]
    scenario.say(TurnEnd("r", "a b c"))
    assert scenario.told == ["end a b", "start", "end c"]


def test_silence_is_sent_too_while_the_server_repeats_a_turn_that_was_closed() -> None:
    scenario = in_turn()
    scenario.wait(TIMEOUT_S + GIVE_UP_AFTER_S + 0.2)
    scenario.lose()
    scenario.open()
    scenario.wait(2.0)
    scenario.say(START)
    before = scenario.client.stats.silent_s
    scenario.wait(1.0)
    assert scenario.client.stats.silent_s > before


# The end.


def test_the_end_asks_the_server_to_close_and_is_over_when_it_does() -> None:
    scenario = in_turn()
    scenario.client.end_input()
    scenario.pump()
    assert scenario.commands[-1] == Close()
    scenario.say(TurnEnd("r", "a b c"))
    assert not scenario.client.finished
    scenario.lose(clean=True)
    assert scenario.told == ["end a b c"]
    assert scenario.client.finished
    assert not scenario.client.wants_link


@pytest.mark.parametrize(("keeps_talking", "patience_s"), [(False, DRAIN_S), (True, LONGEST_DRAIN_S)])
def test_a_server_that_never_closes_is_waited_for_and_not_for_ever(keeps_talking: bool, patience_s: float) -> None:
    scenario = in_turn()
    scenario.client.end_input()
    scenario.pump()
    for number in range(round(patience_s)):
        assert scenario.client.hang_up is None
        if keeps_talking:
            scenario.say(TurnUpdate("r", f"a b {number}"))
        scenario.wait(1.0)
    assert scenario.client.hang_up is HangUp.DRAINED
    scenario.lose()
    assert scenario.client.finished
    assert scenario.told[-1] == ("end a b 59" if keeps_talking else "end a b")


def test_a_socket_lost_while_the_server_finishes_is_replaced_and_asked_again() -> None:
    scenario = in_turn()
    scenario.client.end_input()
    scenario.pump()
    scenario.lose()
    assert scenario.client.wants_link
    scenario.open()
    scenario.wait(0.2)
    assert scenario.audio == list(range(1, 11))
    assert scenario.commands[-1] == Close()
    scenario.say(START, TurnEnd("r", "a b c"))
    scenario.lose(clean=True)
    assert scenario.told == ["end a b c"]
    assert scenario.client.finished


@pytest.mark.parametrize(("told", "heard", "finals"), [("Yes.", "Yes.", 2), ("Yes.", "es", 1), ("Oh, yes.", "Yes", 1)])
def test_who_answers_the_same_again_at_a_late_server_is_not_taken_for_an_echo(
    told: str, heard: str, finals: int
) -> None:
    scenario = Scenario()
    scenario.speak(2.0, is_silent=True)
    scenario.speak(0.4)
    scenario.speak(0.8, is_silent=True)
    scenario.speak(0.1)
    scenario.say(START)
    scenario.speak(0.3)
    scenario.say(TurnEnd("r", told))
    scenario.lose()
    scenario.open()
    scenario.wait(0.3)
    scenario.say(START, TurnUpdate("r", heard), TurnEnd("r", heard))
    assert [entry for entry in scenario.told if entry.startswith("end")] == [f"end {told}", f"end {heard}"][:finals]


@pytest.mark.parametrize("way", [{}, {"clean": True, "leaving": True}])
def test_the_end_of_a_word_is_not_told_again_if_the_socket_is_lost_as_the_server_finishes(way: dict[str, bool]) -> None:
    scenario = in_turn()
    scenario.speak(2.0)
    scenario.pongs = False
    scenario.speak(0.1)
    scenario.client.end_input()
    scenario.pump()
    scenario.say(TurnEnd("r", "a b see"))
    for heard in ("ee", "e", ""):
        scenario.lose(**way)
        if not scenario.client.wants_link:
            break
        scenario.open()
        scenario.wait(0.3)
        scenario.say(START, TurnEnd("r", heard))
    assert scenario.client.finished
    assert scenario.told == ["end a b see"]


def test_a_clean_close_in_mid_turn_is_taken_for_a_drop_once_although_the_input_has_ended() -> None:
    scenario = in_turn()
    scenario.client.end_input()
    scenario.pump()
    scenario.lose(clean=True)
    assert not scenario.client.finished
    scenario.open()
    scenario.wait(0.2)
    scenario.say(START, TurnUpdate("r", "a b c"))
    scenario.lose(clean=True)
    assert scenario.told == ["update a b c", "end a b c"]
    assert scenario.client.finished


@pytest.mark.parametrize("leaving", [False, True])
def test_a_clean_close_that_tells_nothing_of_what_was_heard_is_tried_again(leaving: bool) -> None:
    scenario = Scenario()
    scenario.speak(0.5)
    scenario.client.end_input()
    scenario.pump()
    scenario.lose(clean=True, leaving=leaving)
    assert scenario.client.wants_link
    scenario.open()
    assert scenario.audio == [1, 2, 3, 4, 5]
    scenario.say(START, TurnEnd("r", "yes"))
    scenario.lose(clean=True)
    assert scenario.told == ["start", "end yes"]
    assert scenario.client.finished


def test_a_server_that_goes_away_in_the_midst_of_the_last_turns_has_not_told_them_all() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.speak(0.8, is_silent=True)
    scenario.speak(0.5)
    scenario.client.end_input()
    scenario.pongs = False
    scenario.pump()
    scenario.say(START, TurnEnd("r", "a b"))
    scenario.lose(clean=True, leaving=True)
    assert scenario.client.wants_link
    scenario.pongs = True
    scenario.open()
    scenario.wait(2.0)
    assert {19, 20, 21, 22, 23} <= set(scenario.audio)


def test_a_clean_close_after_digital_silence_alone_is_the_end() -> None:
    scenario = Scenario()
    scenario.speak(0.5, is_silent=True)
    scenario.client.end_input()
    scenario.pump()
    scenario.lose(clean=True)
    assert scenario.client.finished


def test_a_reset_is_no_clean_close_and_leaves_the_turn_its_other_try() -> None:
    scenario = in_turn()
    scenario.client.end_input()
    scenario.pump()
    scenario.lose()
    scenario.open()
    scenario.wait(0.2)
    scenario.say(START, TurnUpdate("r", "a b c"))
    scenario.lose(clean=True)
    assert not scenario.client.finished
    assert scenario.told == ["update a b c"]


def test_a_socket_lost_at_the_end_while_no_turn_is_open_is_replaced_and_not_for_ever() -> None:
    scenario = Scenario()
    scenario.speak(0.5)
    scenario.client.end_input()
    scenario.pump()
    for _ in range(MOST_LOST_ENDS):
        scenario.lose()
        assert scenario.client.wants_link
        scenario.open()
        assert scenario.audio == [1, 2, 3, 4, 5]
        assert scenario.commands[-1] == Close()
    scenario.lose()
    assert scenario.client.finished


def test_a_server_that_was_asked_to_finish_and_has_said_nothing_at_all_has_not_finished() -> None:
    scenario = Scenario(linked=False)
    scenario.speak(0.5)
    scenario.client.end_input()
    scenario.client.link_opened(scenario.client.options, scenario.now)
    scenario.pump()
    assert scenario.commands[-1] == Close()
    scenario.wait(Limits().connect_timeout_s + 0.1)
    assert scenario.client.hang_up is HangUp.NOT_CONNECTED
    scenario.lose()
    assert scenario.client.wants_link


def test_the_end_of_the_last_turn_settles_all_audio_although_no_pause_follows_it() -> None:
    scenario = in_turn()
    scenario.client.end_input()
    scenario.pump()
    scenario.say(TurnEnd("r", "a b c"))
    scenario.lose()
    assert scenario.client.finished
    assert scenario.client.stats.held_s == 0


# Drops.


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("state", ["speaking", "eager ended", "resumed"])
def test_a_drop_in_any_state_of_a_turn_is_not_seen_by_its_consumer(state: str, clean: bool) -> None:
    scenario = in_turn()
    if state != "speaking":
        scenario.say(TurnEagerEnd("r", "a b c"))
    if state == "resumed":
        scenario.say(TurnResume("r"))
    scenario.told.clear()
    scenario.lose(clean=clean)
    assert scenario.client.wants_link
    scenario.speak(0.3, answers=False)
    scenario.open()
    scenario.wait(1.0)
    assert scenario.audio == list(range(1, 14))
    scenario.say(START, TurnUpdate("r", "a"), TurnEagerEnd("r", "a b"), TurnResume("r"), TurnEnd("r", "a b c d"))
    assert not [told for told in scenario.told if told.startswith("start")]
    assert {told.split(maxsplit=1)[1] for told in scenario.told} <= {"a b", "a b c", "a b c d"}
    assert scenario.told[-1] == "end a b c d"
    assert scenario.client.stats.drops == 1
    assert scenario.client.stats.reconnects == 1
    assert scenario.client.stats.replayed_s == pytest.approx(1.0)


def test_the_replay_goes_faster_than_real_time_and_live_audio_waits_behind_it() -> None:
    scenario = in_turn()
    scenario.speak(9.0)
    scenario.lose()
    began = scenario.now
    scenario.open()
    while scenario.client.stats.backlog_s:
        scenario.speak(0.1)
    assert scenario.audio == list(range(1, scenario.number + 1))
    assert 10.0 / CATCH_UP_SPEED < scenario.now - began < 10.0 / (CATCH_UP_SPEED - 1) + 0.2


@pytest.mark.parametrize("clean", [False, True])
def test_a_drop_between_turns_is_no_error_and_waits_for_audio(clean: bool) -> None:
    scenario = Scenario()
    scenario.speak(20.0, is_silent=True)
    scenario.lose(clean=clean)
    assert not scenario.client.wants_link
    assert scenario.told == []
    assert (scenario.client.stats.idle_closes, scenario.client.stats.drops) == (clean, not clean)
    scenario.speak(0.1)
    assert scenario.client.wants_link
    scenario.open()
    scenario.wait(0.4)
    replayed = len(scenario.audio) * FRAME_S - 0.1
    assert PRE_ROLL_S <= replayed <= PRE_ROLL_S + 4


def test_words_that_were_settled_are_never_sent_again() -> None:
    scenario = in_turn()
    scenario.speak(0.7, is_silent=True)
    scenario.say(TurnEnd("r", "a b"))
    scenario.lose()
    assert not scenario.client.wants_link
    scenario.speak(0.1)
    scenario.open()
    assert set(scenario.audio) <= {0, scenario.number}
    assert len(scenario.audio) <= 1 + 4


def test_a_word_that_began_before_its_turn_started_is_sent_again_whole() -> None:
    scenario = Scenario()
    scenario.speak(3.0, is_silent=True)
    scenario.speak(0.3)
    scenario.lose(clean=True)
    assert scenario.client.wants_link
    scenario.open()
    scenario.wait(0.8)
    assert scenario.audio[-3:] == [31, 32, 33]


def test_what_a_socket_took_on_which_the_server_said_nothing_is_sent_again_whole() -> None:
    scenario = Scenario(linked=False)
    scenario.client.link_opened(scenario.client.options, scenario.now)
    scenario.speak(0.5)
    scenario.speak(UNHEARD_S + 3.0, is_silent=True)
    scenario.wait(Limits().connect_timeout_s)
    assert scenario.client.hang_up is HangUp.NOT_CONNECTED
    scenario.lose()
    scenario.open()
    scenario.wait(5.0)
    assert scenario.audio[:5] == [1, 2, 3, 4, 5]


def test_a_voice_that_no_turn_answered_costs_no_socket_after_the_next_one() -> None:
    scenario = Scenario()
    scenario.speak(0.3)
    scenario.speak(0.5, is_silent=True)
    scenario.wait(300.0)
    assert scenario.client.is_idle
    scenario.lose(clean=True)
    assert not scenario.client.wants_link


@pytest.mark.parametrize("greeted", [False, True])
def test_the_audio_of_a_turn_given_up_is_kept_for_a_server_that_hears_it(greeted: bool) -> None:
    scenario = in_turn()
    scenario.lose()
    scenario.wait(2.0)
    scenario.pongs = not greeted
    scenario.client.link_opened(scenario.client.options, scenario.now)
    if greeted:
        scenario.say(Connected("r"))
    scenario.wait(RESCUE_S - 1.9)
    assert scenario.told == ["end a b"]
    assert scenario.notices == [Notice.NOT_RESUMED]
    scenario.wait(5.0)
    scenario.lose()
    scenario.open()
    scenario.wait(1.0)
    assert scenario.audio == list(range(1, 11))
    scenario.say(START, TurnEnd("r", "a b c"))
    assert scenario.told == ["end a b", "start", "end c"]


def test_a_turn_that_its_replay_does_not_bring_back_is_closed_with_the_text_so_far() -> None:
    scenario = in_turn()
    scenario.lose()
    scenario.open()
    scenario.wait(RESCUE_S - 0.1)
    assert scenario.told == []
    scenario.wait(0.2)
    assert scenario.told == ["end a b"]
    assert scenario.notices == [Notice.NOT_RESUMED]


def test_a_socket_that_comes_late_has_some_time_to_bring_the_turn_back() -> None:
    scenario = in_turn()
    scenario.lose()
    scenario.wait(RESCUE_S - 0.1)
    scenario.open()
    scenario.wait(RESCUE_LINKED_S - 0.1)
    assert scenario.told == []
    scenario.wait(0.2)
    assert scenario.told == ["end a b"]


def test_words_after_a_turn_that_was_not_brought_back_are_all_told() -> None:
    scenario = in_turn()
    scenario.lose()
    scenario.open()
    scenario.wait(RESCUE_S + 0.1)
    scenario.speak(8.0, is_silent=True)
    scenario.say(START, TurnEnd("r", "c d e"))
    assert scenario.told == ["end a b", "start", "end c d e"]


def test_words_right_after_a_turn_whose_replay_the_server_made_nothing_of_are_all_told() -> None:
    scenario = in_turn()
    scenario.lose()
    scenario.open()
    scenario.speak(RESCUE_S + 0.1, is_silent=True)
    assert scenario.told == ["end a b"]
    scenario.speak(0.5)
    scenario.say(START, TurnUpdate("r", "yes please"), TurnEnd("r", "yes please"))
    assert scenario.told == ["end a b", "start", "update yes please", "end yes please"]


def test_words_that_were_told_when_a_turn_was_closed_do_not_come_again_as_two_turns() -> None:
    scenario = in_turn("a b")
    scenario.speak(2.0)
    scenario.say(TurnUpdate("r", "a b c d"))
    scenario.speak(9.0)
    assert scenario.told == ["update a b c d", "end a b c d"]
    scenario.lose()
    scenario.open()
    scenario.say(START, TurnEnd("r", "a b"), START, TurnUpdate("r", "c d"), TurnEnd("r", "c d e"))
    assert scenario.told[2:] == ["start", "end e"]
    scenario.speak(1.0, is_silent=True)
    scenario.say(START, TurnEnd("r", "f g"))
    assert scenario.told[4:] == ["start", "end f g"]


def test_a_word_that_the_replay_does_not_bring_again_is_not_waited_for_once_its_audio_is_settled() -> None:
    scenario = in_turn("a b c")
    scenario.speak(9.0)
    assert scenario.told == ["end a b c"]
    scenario.lose()
    scenario.open()
    scenario.wait(2.0)
    scenario.speak(1.0, is_silent=True)
    scenario.say(START, TurnEnd("r", "a c"))
    scenario.speak(1.0)
    scenario.say(START, TurnEnd("r", "d e"))
    assert scenario.told[1:] == ["start", "end d e"]


def test_a_noise_at_the_beginning_of_the_replay_does_not_end_the_turn() -> None:
    scenario = in_turn()
    scenario.lose()
    scenario.open()
    scenario.client.flush(scenario.now)
    scenario.say(START, TurnEnd("r", ""))
    assert scenario.told == []
    scenario.say(START, TurnUpdate("r", "a b"), TurnEnd("r", "a b c"))
    assert scenario.told == ["end a b c"]


def test_a_message_without_text_does_not_bring_a_turn_back_that_never_comes() -> None:
    scenario = in_turn("a b")
    scenario.lose()
    scenario.open()
    scenario.say(TurnUpdate("r", ""), TurnEagerEnd("r", ""))
    scenario.wait(RESCUE_S + RESCUE_LINKED_S)
    assert scenario.told == ["end a b"]
    assert scenario.notices == [Notice.NOT_RESUMED]


def flushed(scenario: Scenario) -> bool:
    """Flushes; whether that is answered at once."""
    scenario.note()
    scenario.client.flush(scenario.now)
    return scenario.client.take_events() == [Flushed()]


def test_a_flush_waits_for_the_server_unless_there_was_nothing_but_digital_silence_since_the_last_turn() -> None:
    scenario = Scenario()
    assert flushed(scenario)
    scenario.speak(0.5, is_silent=True)
    assert flushed(scenario)
    hum = (1).to_bytes(2, "little") + (-1).to_bytes(2, "little", signed=True)
    scenario.client.push_audio(hum * (RATE // 10), scenario.now)
    scenario.pump()
    assert not flushed(scenario)
    scenario.say(START, TurnEnd("r", "yes"))
    assert scenario.told == ["start", "end yes"]


def test_a_second_flush_without_new_audio_is_answered_at_once_and_each_one_has_its_bound() -> None:
    scenario = Scenario()
    scenario.speak(0.5)
    assert not flushed(scenario)
    before = scenario.now
    scenario.wait(FLUSH_S + 0.1)
    assert scenario.client.deadline > before + FLUSH_S
    assert flushed(scenario)


def test_flushes_before_the_first_one_is_answered_send_no_more_silence() -> None:
    scenario = in_turn("a b")
    scenario.sent.clear()
    for _ in range(5):
        scenario.client.flush(scenario.now)
        scenario.wait(0.1)
    assert scenario.client.stats.silent_s == pytest.approx(FLUSH_SILENCE_S)


def test_words_are_neither_swallowed_nor_lost_when_an_outage_takes_the_audio_of_what_was_told() -> None:
    scenario = in_turn("a b", limits=Limits(buffer_s=5.0))
    scenario.speak(1.0)
    scenario.say(TurnUpdate("r", "a b c"))
    scenario.lose()
    scenario.speak(4.9, answers=False)
    assert Notice.AUDIO_LOST in scenario.notices
    scenario.open()
    scenario.say(START, TurnUpdate("r", "d"), TurnEnd("r", "d e"))
    assert scenario.told[-1] == "end a b c d e"


def test_words_of_a_turn_that_an_outage_outlasted_are_not_waited_for_when_their_audio_is_gone() -> None:
    scenario = in_turn("a b", limits=Limits(buffer_s=5.0))
    scenario.lose()
    scenario.speak(RESCUE_S + 0.1, answers=False)
    assert scenario.told == ["end a b"]
    assert scenario.notices == [Notice.AUDIO_LOST, Notice.NOT_RECONNECTED]
    scenario.open()
    scenario.say(START, TurnEnd("r", "c d e"))
    assert scenario.told[1:] == ["start", "end c d e"]


def test_text_whose_audio_went_over_the_limit_stays_in_front_of_what_the_replay_brings() -> None:
    scenario = in_turn(limits=Limits(buffer_s=5.0))
    for _ in range(3):
        scenario.speak(2.0)
        scenario.say(TurnUpdate("r", "a b c"))
    assert scenario.client.stats.lost_s == 0
    scenario.lose()
    assert 1.0 < scenario.client.stats.lost_s < 3.0
    assert scenario.notices == [Notice.AUDIO_LOST]
    scenario.open()
    scenario.say(START, TurnUpdate("r", "c"), TurnEnd("r", "c d"))
    assert scenario.told == ["update a b c", "end a b c d"]


def test_an_outage_costs_bounded_memory_and_is_told_once_with_the_newest_speech_kept() -> None:
    scenario = Scenario(limits=Limits(buffer_s=5.0))
    scenario.speak(1.0)
    scenario.lose()
    for _ in range(20):
        scenario.speak(0.7, answers=False)
        scenario.speak(0.3, answers=False, is_silent=True)
        scenario.client.attempt_failed()
        assert scenario.client.stats.held_s <= 5.0
    assert scenario.notices == [Notice.AUDIO_LOST]
    assert scenario.client.stats.lost_s == pytest.approx(21.0 - scenario.client.stats.held_s)
    assert scenario.client.stats.failed_attempts == 20
    scenario.open()
    scenario.wait(2.0)
    last = range(scenario.number - len(scenario.audio) + 1, scenario.number + 1)
    assert scenario.audio == [number if (number - 11) % 10 < 7 else 0 for number in last]


# Peers that hang.


def test_no_connected_in_time_hangs_up() -> None:
    scenario = Scenario(linked=False, limits=Limits(connect_timeout_s=2.0))
    scenario.client.link_opened(OPTIONS, scenario.now)
    scenario.wait(1.9, answers=False)
    assert scenario.client.hang_up is None
    assert not scenario.client.is_connected
    scenario.wait(0.2, answers=False)
    assert scenario.client.hang_up is HangUp.NOT_CONNECTED


def test_a_dead_peer_is_noticed_within_ten_seconds_and_its_turn_goes_on() -> None:
    scenario = in_turn()
    scenario.wait(DEAD_AFTER_S + 0.1, answers=False)
    assert scenario.client.hang_up is HangUp.DEAD
    scenario.lose()
    assert scenario.client.stats.dead_peers == 1
    scenario.open()
    scenario.say(START, TurnEnd("r", "a b c"))
    assert scenario.told[-1].endswith("c")


@pytest.mark.parametrize("is_silent", [True, False])
def test_a_dead_peer_is_not_taken_for_a_stalled_server_or_one_that_silence_does_not_move(is_silent: bool) -> None:
    scenario = Scenario(Options(sample_rate=RATE))
    scenario.speak(1.0)
    scenario.say(START)
    scenario.told.clear()
    scenario.pongs = False
    (scenario.wait if is_silent else scenario.speak)(DEAD_AFTER_S - 0.2)
    assert scenario.client.hang_up is None
    assert scenario.told == []
    scenario.wait(0.3)
    assert scenario.client.hang_up is HangUp.DEAD


def test_a_server_that_stalls_in_mid_turn_is_left_with_the_text_so_far() -> None:
    scenario = in_turn()
    scenario.speak(TIMEOUT_S + STALLED_AFTER_S - 0.2)
    assert scenario.notices == []
    scenario.speak(0.4)
    assert scenario.notices == [Notice.STALLED]
    assert scenario.told == ["end a b"]
    assert scenario.client.hang_up is HangUp.STALLED
    scenario.lose()
    assert scenario.client.stats.stalls == 1
    assert scenario.client.wants_link


# A turn without words.


def hear_noise(scenario: Scenario, seconds: float) -> None:
    """A noise without a pause, to which the server says nothing."""
    scenario.speak(seconds)


def test_a_long_noise_is_closed_once_and_costs_neither_a_socket_nor_audio_twice() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.say(START)
    hear_noise(scenario, 145.0)
    assert scenario.told == ["start", "end"]
    assert scenario.notices == [Notice.NO_WORDS]
    assert scenario.client.hang_up is None
    assert scenario.client.stats.sent_s == pytest.approx(146.0)
    scenario.lose()
    scenario.open()
    scenario.wait(30.0)
    assert 30.0 < scenario.client.stats.replayed_s <= ROOM_AFTER_OVERFLOW * Limits().buffer_s + 1.0
    assert scenario.client.stats.lost_s == 0
    assert scenario.client.stats.stalls == 0


@pytest.mark.parametrize("dbfs", [-45.0, -35.0, -25.0])
def test_a_steady_noise_in_which_nothing_stands_out_is_no_proof_that_the_server_is_deaf(dbfs: float) -> None:
    scenario = Scenario()
    noise = Noise(dbfs=dbfs).frames([False] * 300)
    for number in range(1250):
        scenario.wait(SIMULATED_FRAME_S)
        scenario.client.push_audio(noise[number % 300].tobytes(), scenario.now)
        scenario.note()
        scenario.pump()
        if number == 50:
            scenario.say(START)
    assert scenario.told == ["start", "end"]
    assert scenario.notices == [Notice.NO_WORDS]
    assert scenario.client.hang_up is None
    assert scenario.client.stats.lost_s == 0


def test_empty_updates_do_not_keep_a_turn_without_words_open() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.say(START)
    for _ in range(30):
        hear_noise(scenario, 1.0)
        scenario.say(TurnUpdate("r", ""))
    assert scenario.told == ["start", "end"]


def test_the_next_words_of_a_turn_that_was_closed_for_want_of_words_are_a_turn() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.say(START)
    hear_noise(scenario, 20.0)
    scenario.told.clear()
    scenario.say(TurnUpdate("r", "a"), TurnUpdate("r", "a b"), TurnEnd("r", "a b c"))
    assert scenario.told == ["start", "update a", "update a b", "end a b c"]
    scenario.say(START, TurnEnd("r", "d"))
    assert scenario.told[4:] == ["start", "end d"]


def test_a_server_that_lets_a_long_silence_pass_in_such_a_turn_is_deaf_and_is_replaced() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.say(START)
    hear_noise(scenario, 10.0)
    scenario.speak(TIMEOUT_S + STALLED_AFTER_S + 0.2, is_silent=True)
    assert scenario.client.hang_up is HangUp.STALLED
    assert scenario.client.stats.stalls == 1


def test_a_server_that_falls_silent_after_messages_without_words_is_deaf_too() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.say(START)
    hear_noise(scenario, 10.0)
    scenario.say(TurnUpdate("r", ""))
    hear_noise(scenario, 50.0)
    assert scenario.client.stats.held_s > 50.0
    scenario.speak(TIMEOUT_S + STALLED_AFTER_S + 0.2, is_silent=True)
    assert scenario.client.hang_up is HangUp.STALLED


def test_a_server_that_ends_a_turn_without_words_is_in_no_doubt_any_more() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.say(START)
    hear_noise(scenario, 20.0)
    scenario.say(TurnEnd("r", ""))
    assert scenario.client.stats.held_s < 1.0
    scenario.speak(20.0, is_silent=True)
    assert scenario.client.hang_up is None


def test_a_server_that_goes_on_stalling_is_replaced_twice_a_minute_at_most() -> None:
    scenario = Scenario()
    sockets = 1
    for _ in range(120):
        scenario.speak(1.0)
        if not scenario.client.turn.is_open:
            scenario.say(START, TurnUpdate("r", f"a {sockets} {scenario.number}"))
        if scenario.client.hang_up:
            scenario.lose()
            scenario.open()
            sockets += 1
    assert 2 <= sockets <= 1 + 120 / REPLACED_EVERY_S


def test_a_server_that_is_silent_between_turns_has_not_stalled() -> None:
    scenario = Scenario()
    scenario.speak(20.0)
    assert scenario.notices == []
    assert scenario.client.hang_up is None


# Options.


def test_settings_changed_twice_go_out_as_one_config_ahead_of_the_audio() -> None:
    scenario = Scenario()
    for timeout_ms in (900, 1000):
        scenario.client.update(Options(sample_rate=RATE, turn=TurnSettings(end_timeout_ms=timeout_ms)))
    scenario.sent.clear()
    scenario.speak(0.1)
    sent = [item for item in scenario.sent if not isinstance(item, Ping)]
    assert sent[0] == Config(TurnSettings(end_timeout_ms=1000))
    assert len(sent) == 2
    assert scenario.client.hang_up is None


def test_new_keyterms_take_a_new_socket_between_turns() -> None:
    scenario = in_turn()
    scenario.client.update(Options(sample_rate=RATE, turn=OPTIONS.turn, keyterms=("LiveKit",)))
    assert scenario.client.hang_up is None
    scenario.say(TurnEnd("r", "a b"))
    assert scenario.client.hang_up is HangUp.ROTATE
    scenario.lose()
    assert scenario.client.stats.drops == 0
    scenario.speak(0.1)
    scenario.open()
    assert scenario.client.hang_up is None


def test_new_keyterms_between_turns_are_taken_at_once_and_not_at_all_when_the_input_has_ended() -> None:
    scenario = Scenario()
    scenario.client.update(Options(sample_rate=RATE, keyterms=("LiveKit",)))
    assert scenario.client.hang_up is HangUp.ROTATE
    other = Scenario()
    other.client.end_input()
    other.client.update(Options(sample_rate=RATE, keyterms=("LiveKit",)))
    assert other.client.hang_up is None


def test_options_that_changed_while_the_socket_was_opened_still_reach_the_server() -> None:
    scenario = Scenario(linked=False)
    asked_for = scenario.client.options
    scenario.client.update(Options(sample_rate=RATE, turn=TurnSettings(end_timeout_ms=900)))
    scenario.client.link_opened(asked_for, scenario.now)
    scenario.pump()
    assert Config(TurnSettings(end_timeout_ms=900)) in scenario.sent
    scenario.client.update(Options(sample_rate=RATE, keyterms=("LiveKit",)))
    scenario.lose()
    scenario.client.link_opened(asked_for, scenario.now)
    assert scenario.client.hang_up is HangUp.ROTATE


def changed(timeout_ms: int | None) -> Options:
    return Options(sample_rate=RATE, turn=TurnSettings(end_timeout_ms=timeout_ms))


def test_a_rejected_config_leaves_the_turn_alone_and_is_not_sent_again() -> None:
    scenario = in_turn()
    scenario.client.update(changed(900))
    scenario.pump()
    scenario.say(ErrorMessage("No.", status_code=400))
    scenario.speak(CLOSE_FOLLOWS_S + 0.1)
    assert [rejected.change for rejected in scenario.rejections] == [Config(TurnSettings(end_timeout_ms=900))]
    assert scenario.client.options == OPTIONS
    assert scenario.client.stats.rejected_configs == 1
    assert scenario.client.hang_up is None
    scenario.say(TurnEnd("r", "a b c"))
    assert scenario.told == ["end a b c"]
    scenario.sent.clear()
    scenario.client.update(changed(900))
    scenario.speak(1.0)
    assert Config(TurnSettings(end_timeout_ms=900)) not in scenario.sent


def test_an_error_that_answers_a_config_is_what_a_socket_ended_by_that_is_lost_soon_after() -> None:
    scenario = in_turn()
    scenario.client.update(changed(900))
    scenario.pump()
    error = ErrorMessage("No.", status_code=400)
    scenario.say(error)
    assert (scenario.client.failure, scenario.client.last_error) == (None, error)


def test_an_error_that_answers_no_config_or_comes_before_connected_ends_the_socket() -> None:
    error = ErrorMessage("No.", status_code=400)
    scenario = in_turn()
    scenario.say(error)
    assert scenario.client.failure == error
    early = Scenario(linked=False)
    asked_for = early.client.options
    early.client.update(changed(900))
    early.client.link_opened(asked_for, early.now)
    early.pump()
    assert Config(TurnSettings(end_timeout_ms=900)) in early.sent
    early.say(error)
    assert early.client.failure == error
    assert not early.client.is_connected


def test_options_that_a_new_socket_is_refused_for_give_way_to_those_of_the_last_one() -> None:
    scenario = Scenario()
    scenario.client.update(replace(OPTIONS, keyterms=("bad",)))
    scenario.lose()
    scenario.client.link_opened(scenario.client.options, scenario.now)
    scenario.say(ErrorMessage("No.", status_code=400))
    scenario.lose()
    assert scenario.client.tries_again
    assert scenario.client.options == OPTIONS
    assert [rejected.change for rejected in scenario.rejections] == [Config(keyterms=("bad",))]
    scenario.client.link_opened(scenario.client.options, scenario.now)
    scenario.say(ErrorMessage("No.", status_code=400))
    scenario.lose()
    assert not scenario.client.tries_again


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_a_first_socket_and_one_refused_for_something_else_have_nothing_to_do_without(status: int) -> None:
    first, later = Scenario(linked=False), Scenario()
    later.client.update(replace(OPTIONS, keyterms=("good",)))
    later.lose()
    for scenario, said in ((first, 400), (later, status)):
        scenario.client.link_opened(scenario.client.options, scenario.now)
        scenario.say(ErrorMessage("No.", status_code=said))
        scenario.lose()
        assert not scenario.client.tries_again
        assert scenario.rejections == []


def test_a_default_that_only_the_server_knows_is_not_taken_for_short() -> None:
    scenario = Scenario(Options(sample_rate=RATE))
    scenario.speak(1.0)
    scenario.say(START, TurnUpdate("r", "a"))
    scenario.wait(LONGEST_END_TIMEOUT_MS / 1000)
    assert Notice.OVERDUE not in scenario.notices
    scenario.say(TurnEnd("r", "a"))
    assert scenario.told[-1] == "end a"
    assert scenario.client.hang_up is None


def test_a_socket_that_ends_while_it_is_sent_a_backlog_makes_the_next_one_slower() -> None:
    scenario = in_turn()
    scenario.speak(3.0)
    took_s = []
    for _ in range(4):
        scenario.lose()
        scenario.open()
        began = scenario.now
        while scenario.client.stats.backlog_s:
            scenario.wait(0.1)
        took_s.append(scenario.now - began)
    assert took_s == pytest.approx([4 / 4, 4 / 2, 4 / 1.4, 4.0 - ONSET_S / 2], abs=0.3)
    assert scenario.notices.count(Notice.SLOWER) == 3


def test_what_ends_a_socket_that_was_sent_live_audio_is_not_the_speed() -> None:
    scenario = Scenario()
    for _ in range(3):
        scenario.speak(9.0, is_silent=True)
        scenario.lose()
        scenario.open()
    assert Notice.SLOWER not in scenario.notices


@pytest.mark.parametrize("hung_up", [True, False])
def test_a_socket_that_is_given_up_or_refused_is_not_blamed_on_the_speed(hung_up: bool) -> None:
    scenario = in_turn()
    scenario.speak(9.0)
    scenario.lose()
    scenario.open()
    scenario.wait(1.0)
    if hung_up:
        scenario.say(TurnEnd("r", "a b"))
        scenario.client.update(Options(sample_rate=RATE, keyterms=("LiveKit",)))
    else:
        scenario.say(ErrorMessage("Who are you?", status_code=401))
    scenario.lose()
    assert not scenario.client.tries_again


def test_a_close_that_was_asked_for_is_not_blamed_on_the_speed() -> None:
    scenario = Scenario(linked=False)
    scenario.speak(5.0)
    scenario.client.end_input()
    scenario.open()
    scenario.wait(5.0 / CATCH_UP_SPEED)
    assert Close() in scenario.sent
    scenario.lose(clean=True)
    assert Notice.SLOWER not in scenario.notices
    assert not scenario.client.tries_again


def test_at_real_time_long_silence_is_left_out_so_that_a_backlog_is_gone_in_the_end() -> None:
    scenario = Scenario(limits=Limits(catch_up_speed=1.0), linked=False)
    scenario.number = 10
    for _ in range(3):
        scenario.speak(2.0, answers=False)
        scenario.speak(4.0, is_silent=True, answers=False)
    scenario.open()
    scenario.speak(12.0, is_silent=True)
    assert scenario.client.stats.backlog_s == 0
    voiced = [number for number in scenario.audio if number]
    assert voiced == [*range(11, 31), *range(71, 91), *range(131, 151)]
    assert scenario.client.stats.lost_s == 0


def test_silence_in_place_of_audio_goes_out_at_the_pace_of_a_backlog() -> None:
    scenario = in_turn()
    scenario.sent.clear()
    scenario.client.flush(scenario.now)
    scenario.pump()
    at_once = len(scenario.audio)
    scenario.wait((FLUSH_SILENCE_S - BURST_S) / CATCH_UP_SPEED + 0.05)
    assert at_once * SILENCE_S <= BURST_S + SILENCE_S
    assert len(scenario.audio) * SILENCE_S == pytest.approx(FLUSH_SILENCE_S)


# Accounts.


def test_usage_is_what_was_sent_silence_and_replay_included_and_told_once() -> None:
    scenario = in_turn()
    scenario.lose()
    scenario.speak(0.5, answers=False)
    assert scenario.usage() == pytest.approx(1.0)
    scenario.open()
    scenario.wait(0.3)
    scenario.say(START)
    scenario.wait(1.0)
    stats = scenario.client.stats
    assert stats.replayed_s == pytest.approx(1.0)
    assert stats.silent_s > 0
    assert stats.sent_s == pytest.approx(1.0 + 1.5 + stats.silent_s)
    assert scenario.usage() == pytest.approx(stats.sent_s - 1.0)
    assert scenario.usage() == 0


def test_usage_is_due_every_five_seconds_while_audio_is_sent_and_never_without() -> None:
    scenario = Scenario()
    scenario.wait(60)
    assert scenario.usage() == 0
    scenario.client.push_audio(b"\0\0", scenario.now)
    scenario.pump()
    scenario.wait(USAGE_EVERY_S - 0.1)
    assert scenario.usage_s == 0
    scenario.wait(0.1)
    assert scenario.usage_s == pytest.approx(1 / RATE)


def test_a_socket_that_was_refused_has_cost_nothing() -> None:
    scenario = Scenario(linked=False)
    scenario.speak(1.0)
    scenario.client.attempt_failed()
    assert scenario.usage() == 0
    assert scenario.client.stats.sent_s == 0
    assert scenario.client.stats.backlog_s == 1.0


def test_what_was_lost_in_an_outage_is_counted_once_however_many_sockets_follow() -> None:
    scenario = in_turn(limits=Limits(buffer_s=2.0))
    scenario.lose()
    scenario.speak(5.0, answers=False)
    lost_s = scenario.client.stats.lost_s
    assert lost_s == pytest.approx(6.0 - scenario.client.stats.held_s)
    for _ in range(3):
        scenario.client.link_opened(OPTIONS, scenario.now)
        scenario.lose()
    assert scenario.client.stats.lost_s == lost_s


def test_a_turn_that_a_second_start_has_ended_is_not_told_again_by_a_replay() -> None:
    scenario = Scenario()
    scenario.speak(1.0)
    scenario.say(START, TurnUpdate("r", "one two"))
    scenario.speak(1.0)
    scenario.say(START, TurnUpdate("r", "three"))
    told = ["start", "update one two", "end one two", "start", "update three"]
    assert scenario.told == told
    first = len(scenario.audio)
    scenario.client.link_lost(scenario.now)
    scenario.open()
    scenario.wait(2.0)
    assert scenario.audio[first:][:1] == [1], "the server has settled none of it"
    scenario.say(START, TurnUpdate("r", "one two"), TurnUpdate("r", "one two three four"))
    scenario.say(TurnEnd("r", "one two three four five"))
    assert scenario.told == [*told, "update three four", "end three four five"]

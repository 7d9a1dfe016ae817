"""What the instruments record of scripted calls in virtual time: known values, each of them once."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from livekit.plugins.cartesia_turns import telemetry
from livekit.plugins.cartesia_turns.core.measures import WENT_ON_S
from livekit.plugins.cartesia_turns.core.requests import FLUSH_S, Limits
from livekit.plugins.cartesia_turns.core.timeouts import GIVE_UP_AFTER_S, STALLED_AFTER_S
from livekit.plugins.cartesia_turns.instruments import Instruments
from livekit.plugins.cartesia_turns.wire.messages import TurnEagerEnd, TurnEnd, TurnResume, TurnUpdate
from opentelemetry.sdk.metrics.export import HistogramDataPoint
from support.measured import SLICE_S, once, replay_begins
from support.measured import MeasuredCall as Call
from support.metrics import Recorded
from support.scenario import START, TIMEOUT_S

HISTOGRAMS = ("end_delay", "eager_lead", "replayed_audio")
COUNTERS = ("turns", "cut_offs", "eager_ends", "notices", "lost_audio", "reconnects")
SECRET = "four two four two"
LOUDNESS = 8192.0
"""Of a scenario's speech, as the root mean square of its samples."""


def test_a_call_without_turns_records_nothing(recorded: Recorded, call: Call) -> None:
    call.speak(2.0)
    call.speak(2.0, is_silent=True)
    call.close()
    assert all(recorded.histogram(name) == {} for name in HISTOGRAMS)
    assert all(recorded.counts(name) == {} for name in COUNTERS)


def test_every_counter_is_there_from_the_beginning_of_a_stream(recorded: Recorded, call: Call) -> None:
    assert call.client.stats.turns == 0
    assert recorded.metrics.keys() == set(COUNTERS)


# The end delay.


@pytest.mark.parametrize("pause_s", [0.3, 1.4])
def test_the_end_delay_is_from_the_end_of_the_speech_to_the_end_of_the_turn(
    recorded: Recorded, call: Call, pause_s: float
) -> None:
    call.turn(pause_s=pause_s)
    assert recorded.histogram("end_delay") == {"server": once(pause_s)}
    assert recorded.counts("turns") == {"server": 1}


@pytest.mark.parametrize("others_s", [2.0, 3.0])
def test_where_other_voices_go_on_the_end_of_the_speech_is_not_known_and_there_is_no_end_delay(
    recorded: Recorded, call: Call, others_s: float
) -> None:
    call.begin()
    call.speak(others_s)
    call.say(TurnEnd("r", "a b"))
    assert recorded.histogram("end_delay") == {}
    assert recorded.counts("turns") == {"server": 1}


@pytest.mark.parametrize("noise_s", [0.5, 1.3, 3.0])
def test_so_it_is_where_noise_is_as_loud_as_the_speech(recorded: Recorded, call: Call, noise_s: float) -> None:
    call.noise(2.0, level=LOUDNESS)
    call.say(START, TurnUpdate("r", "a b"))
    call.noise(noise_s, level=LOUDNESS)
    call.say(TurnEnd("r", "a b"))
    assert recorded.histogram("end_delay") == {}
    assert recorded.counts("turns") == {"server": 1}


def test_noise_that_is_softer_than_the_speech_hides_nothing(recorded: Recorded, call: Call) -> None:
    call.begin()
    call.noise(1.3, level=LOUDNESS / 8)
    call.say(TurnEnd("r", "a b"))
    assert recorded.histogram("end_delay") == {"server": once(1.3)}


def test_where_no_voice_was_heard_there_is_no_end_delay(recorded: Recorded, call: Call) -> None:
    call.speak(1.0, is_silent=True)
    call.say(START, TurnUpdate("r", "a"), TurnEnd("r", "a b"))
    assert recorded.histogram("end_delay") == {}
    assert recorded.counts("turns") == {"server": 1}


def test_while_voice_waits_to_be_sent_the_end_of_the_speech_is_not_known(recorded: Recorded, call: Call) -> None:
    call.begin()
    call.speak(0.5, is_silent=True)
    call.speak(0.5, answers=False)
    call.speak(0.5, is_silent=True, answers=False)
    call.say(TurnEnd("r", "a b"))
    assert recorded.histogram("end_delay") == {}
    assert recorded.counts("turns") == {"server": 1}


def test_a_turn_without_words_is_not_measured(recorded: Recorded, call: Call) -> None:
    call.speak(1.0)
    call.say(START)
    call.speak(0.5, is_silent=True)
    call.say(TurnEnd("r", "..."))
    assert recorded.histogram("end_delay") == {}
    assert recorded.counts("turns") == {}


def test_a_turn_that_silence_in_place_of_audio_has_ended_was_ended_by_the_server(
    recorded: Recorded, call: Call
) -> None:
    call.begin()
    call.wait(1.2)
    assert call.client.stats.silent_s > 0
    call.say(TurnEnd("r", "a b"))
    assert recorded.histogram("end_delay") == {"server": once(1.2)}
    assert recorded.counts("notices") == {"feeding": 1}


def test_a_turn_that_no_silence_ends_is_closed_by_the_plugin_and_measured(recorded: Recorded, call: Call) -> None:
    call.begin()
    call.wait(TIMEOUT_S + GIVE_UP_AFTER_S + 1.0)
    assert recorded.counts("turns") == {"plugin": 1}
    ((count, delay_s),) = recorded.histogram("end_delay").values()
    assert count == 1
    assert TIMEOUT_S + GIVE_UP_AFTER_S < delay_s < TIMEOUT_S + GIVE_UP_AFTER_S + 1.0
    assert recorded.counts("notices") == {"feeding": 1, "overdue": 1}


def test_a_turn_of_a_server_that_hangs_is_closed_by_the_plugin_and_measured(recorded: Recorded, call: Call) -> None:
    call.begin()
    call.speak(TIMEOUT_S + STALLED_AFTER_S + 1.0, is_silent=True)
    assert recorded.counts("turns") == {"plugin": 1}
    ((count, delay_s),) = recorded.histogram("end_delay").values()
    assert count == 1
    assert delay_s >= TIMEOUT_S + STALLED_AFTER_S
    assert recorded.counts("notices") == {"stalled": 1}


def test_a_turn_that_is_still_open_when_its_stream_is_closed_is_not_measured(recorded: Recorded, call: Call) -> None:
    call.begin()
    call.close()
    assert recorded.histogram("end_delay") == {}
    assert recorded.counts("turns") == {}


# Flushes and the end of the input.


def test_a_turn_that_the_server_ends_after_a_flush_counts_as_flushed(recorded: Recorded, call: Call) -> None:
    call.begin()
    call.client.flush(call.now)
    call.pump()
    call.wait(0.2)
    call.say(TurnEnd("r", "a b"))
    call.turn("c")
    assert recorded.counts("turns") == {"flush": 1, "server": 1}
    assert recorded.histogram("end_delay")["flush"] == once(0.2)


def test_so_does_a_turn_that_the_plugin_closes_after_a_flush(recorded: Recorded, call: Call) -> None:
    call.begin()
    call.client.flush(call.now)
    call.wait(FLUSH_S + 0.1)
    assert recorded.counts("turns") == {"flush": 1}
    assert recorded.histogram("end_delay") == {"flush": once(FLUSH_S)}


def test_a_turn_that_ends_with_the_input_says_so(recorded: Recorded, call: Call) -> None:
    call.begin()
    call.client.end_input()
    call.pump()
    call.say(TurnEnd("r", "a b c"))
    assert recorded.counts("turns") == {"end of input": 1}


def test_so_does_a_turn_that_a_server_has_not_ended_when_it_has_finished(recorded: Recorded, call: Call) -> None:
    call.begin()
    call.client.end_input()
    call.pump()
    call.wait(30.0)
    call.lose()
    assert recorded.counts("turns") == {"end of input": 1}


# Eager ends.


def test_the_eager_lead_is_from_the_eager_end_that_proved_right_to_the_end(recorded: Recorded, call: Call) -> None:
    call.begin()
    call.speak(0.3, is_silent=True)
    call.say(TurnEagerEnd("r", "a b"))
    call.speak(0.4, is_silent=True)
    call.say(TurnEnd("r", "a b"))
    assert recorded.histogram("eager_lead") == {"server": once(0.4)}
    assert recorded.counts("eager_ends") == {"ended": 1}


@pytest.mark.parametrize("resume", [[TurnResume("r")], [TurnUpdate("r", "a b c")], [TurnResume("r")] * 2])
def test_an_eager_end_after_which_the_user_went_on_is_counted_as_resumed_and_has_no_lead(
    recorded: Recorded, call: Call, resume: list[TurnResume | TurnUpdate]
) -> None:
    call.begin()
    call.say(TurnEagerEnd("r", "a b"))
    call.speak(0.5)
    call.say(*resume, TurnUpdate("r", "a b c"))
    call.speak(0.5, is_silent=True)
    call.say(TurnEnd("r", "a b c"))
    assert recorded.histogram("eager_lead") == {}
    assert recorded.counts("eager_ends") == {"resumed": 1}


def test_the_resume_rate_is_the_part_of_the_eager_ends_that_were_resumed(recorded: Recorded, call: Call) -> None:
    for number in range(3):
        call.begin(f"a{number}")
        call.say(TurnEagerEnd("r", f"a{number}"), TurnResume("r"), TurnEagerEnd("r", f"a{number}"))
        call.speak(0.2, is_silent=True)
        call.say(TurnEnd("r", f"a{number}"))
    assert recorded.counts("eager_ends") == {"resumed": 3, "ended": 3}
    assert recorded.histogram("eager_lead") == {"server": pytest.approx((3, 0.6), abs=SLICE_S)}


def test_an_eager_end_that_is_said_twice_counts_once_and_from_the_first(recorded: Recorded, call: Call) -> None:
    call.begin()
    call.say(TurnEagerEnd("r", "a b"))
    call.speak(0.2, is_silent=True)
    call.say(TurnEagerEnd("r", "a b"))
    call.speak(0.2, is_silent=True)
    call.say(TurnEnd("r", "a b"))
    assert recorded.histogram("eager_lead") == {"server": once(0.4)}
    assert recorded.counts("eager_ends") == {"ended": 1}


def test_a_sentence_that_is_told_early_is_no_eager_end(recorded: Recorded) -> None:
    call = Call(limits=Limits(early_preflight=3))
    call.begin("I see.")
    call.say(TurnUpdate("r", "I see. And so on."))
    call.speak(0.2, is_silent=True)
    call.say(TurnEagerEnd("r", "I see. And so on."))
    call.speak(0.3, is_silent=True)
    call.say(TurnEnd("r", "I see. And so on."))
    assert recorded.counts("eager_ends") == {"ended": 1}
    assert recorded.histogram("eager_lead") == {"server": once(0.3)}


# Cut-offs.


def test_a_user_who_goes_on_soon_after_the_end_was_cut_off(recorded: Recorded, call: Call) -> None:
    call.turn()
    call.speak(WENT_ON_S - 0.2, is_silent=True)
    call.turn("c d")
    assert recorded.counts("cut_offs") == {"server": 1}
    assert recorded.counts("turns") == {"server": 2}


def test_the_moment_counts_at_which_speech_began_and_not_that_at_which_the_server_noticed(
    recorded: Recorded, call: Call
) -> None:
    call.turn()
    call.speak(WENT_ON_S - 0.2, is_silent=True)
    call.speak(1.5)
    call.turn("c d")
    assert recorded.counts("cut_offs") == {"server": 1}


def test_a_user_who_speaks_later_was_not_cut_off(recorded: Recorded, call: Call) -> None:
    for text in ("a", "b", "c"):
        call.turn(text)
        call.speak(WENT_ON_S + 0.2, is_silent=True)
    assert recorded.counts("cut_offs") == {}
    assert recorded.counts("turns") == {"server": 3}


def test_a_noise_that_makes_a_turn_without_words_shows_no_cut_off_and_hides_none(
    recorded: Recorded, call: Call
) -> None:
    call.turn()
    call.speak(0.2)
    call.say(START, TurnEnd("r", ""))
    assert recorded.counts("cut_offs") == {}
    call.speak(0.8, is_silent=True)
    call.turn("c d")
    assert recorded.counts("cut_offs") == {"server": 1}


def test_a_cut_off_tells_what_ended_the_turn_that_was_cut_off(recorded: Recorded, call: Call) -> None:
    call.begin()
    call.client.flush(call.now)
    call.wait(FLUSH_S + 0.1)
    call.speak(0.3, is_silent=True)
    call.turn("c d")
    call.speak(WENT_ON_S, is_silent=True)
    assert recorded.counts("cut_offs") == {"flush": 1}
    assert recorded.counts("turns") == {"flush": 1, "server": 1}


def test_two_turns_that_the_server_does_not_part_count_as_a_cut_off(recorded: Recorded, call: Call) -> None:
    call.begin("one two")
    call.speak(1.0)
    call.say(START, TurnUpdate("r", "three"))
    call.speak(0.5, is_silent=True)
    call.say(TurnEnd("r", "three"))
    assert recorded.counts("turns") == {"server": 2}
    assert recorded.counts("cut_offs") == {"server": 1}


# Streams beside each other.


def test_streams_of_one_process_are_added_up_and_not_mixed_up(recorded: Recorded) -> None:
    one, other = Call(), Call()
    one.turn(pause_s=0.3)
    other.speak(1.5, is_silent=True)
    other.begin("c")
    other.say(TurnEagerEnd("r", "c"))
    one.begin("b")
    other.speak(0.5, is_silent=True)
    other.say(TurnEnd("r", "c"))
    assert one.now == pytest.approx(102.5)
    assert other.now == pytest.approx(103.1)
    one.speak(0.3, is_silent=True)
    one.say(TurnEnd("r", "b"))
    assert recorded.histogram("end_delay") == {"server": pytest.approx((3, 1.1), abs=3 * SLICE_S)}
    assert recorded.histogram("eager_lead") == {"server": once(0.5)}
    assert recorded.counts("cut_offs") == {"server": 1}, "that of the first stream alone"
    assert recorded.counts("turns") == {"server": 3}


# What is recorded, and when.


def test_nothing_is_recorded_while_audio_and_words_come(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Mock()
    monkeypatch.setattr(telemetry, "instruments", Instruments(meter))
    call = Call()
    meter.reset_mock()
    call.begin("word")
    for number in range(100):
        call.speak(0.2)
        call.say(TurnUpdate("r", "word " * (number + 2)))
    call.say(TurnEagerEnd("r", "word " * 101), TurnResume("r"))
    assert meter.mock_calls == []
    call.say(TurnEnd("r", "word " * 101))
    assert meter.mock_calls


def test_the_attributes_have_few_values_and_tell_nothing_of_the_call(recorded: Recorded, call: Call) -> None:
    call.begin(SECRET)
    call.say(TurnEagerEnd("r", SECRET))
    replay_begins(call)
    call.say(START, TurnEnd("request-5150", SECRET))
    metrics = recorded.metrics
    assert metrics.keys() == {*COUNTERS, *HISTOGRAMS}
    points = [point for metric in metrics.values() for point in metric.data.data_points]
    assert {name for point in points for name in point.attributes or ()} == {"ended_by", "outcome", "kind"}
    assert len(points) < 30
    said = str([(point.attributes, [exemplar.filtered_attributes for exemplar in point.exemplars]) for point in points])
    assert not any(word in said for word in (SECRET, "four", "5150"))


def test_seconds_are_seconds_and_the_buckets_tell_apart_what_users_notice(recorded: Recorded, call: Call) -> None:
    call.begin()
    call.say(TurnEagerEnd("r", "a b"))
    replay_begins(call)
    call.say(START, TurnEnd("r", "a b c"))
    metrics = recorded.metrics
    assert {name for name, metric in metrics.items() if metric.unit == "s"} == {*HISTOGRAMS, "lost_audio"}
    assert all((metric.unit or "").startswith("{") for metric in metrics.values() if metric.unit != "s")
    for name, least, most in (("end_delay", 0.1, 12), ("eager_lead", 0.05, 5), ("replayed_audio", 0.5, 60)):
        (point,) = metrics[name].data.data_points
        assert isinstance(point, HistogramDataPoint)
        bounds = point.explicit_bounds
        assert (bounds[0], bounds[-1]) == (least, most)
        assert list(bounds) == sorted(set(bounds))

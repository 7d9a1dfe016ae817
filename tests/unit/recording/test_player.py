from __future__ import annotations

from dataclasses import replace as changed
from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.core import pacing, timeouts
from livekit.plugins.cartesia_turns.core.client import TurnsClient
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.recording import replay as function
from livekit.plugins.cartesia_turns.recording.files import Recording
from livekit.plugins.cartesia_turns.recording.player import replay
from livekit.plugins.cartesia_turns.recording.schema import SchemaError
from livekit.plugins.cartesia_turns.wire.messages import Connected, ServerMessage, TurnStart, TurnUpdate
from livekit.plugins.cartesia_turns.wire.options import Options
from support.lossy_link import Break, Fault, SimulatedCall
from support.recordings import Tape
from support.simulated_server import Speech

SAID = Speech((50, 10, 60), (15, 15, 15), tail=900)


def recorded(*faults: Fault) -> Recording:
    tape = Tape()
    SimulatedCall(SAID, faults=[*faults], make_client=tape.client).run()
    return tape.recording()


def test_the_same_client_does_the_same() -> None:
    outcome = replay(recorded())
    assert outcome.is_same
    assert outcome.events > 4
    assert outcome.audio_s == pytest.approx(SAID.seconds)
    assert str(outcome).startswith(f"the same as recorded: {outcome.events} events")


def test_a_client_that_says_something_else_is_told_from_the_one_that_was_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording = recorded()
    receive = TurnsClient.receive

    def shouts(self: TurnsClient, message: ServerMessage, now: float) -> None:
        loud = changed(message, transcript=message.transcript.upper()) if isinstance(message, TurnUpdate) else message
        receive(self, loud, now)

    monkeypatch.setattr(TurnsClient, "receive", shouts)
    outcome = replay(recording)
    assert not outcome.is_same
    assert any(difference.today and difference.today["transcript"] == "W0" for difference in outcome.differences)
    assert any(difference.recorded and difference.recorded["transcript"] == "w0" for difference in outcome.differences)
    assert '"W0"' in str(outcome)


def test_a_client_that_waits_for_less_is_told_by_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # The server goes silent in mid-turn: the client gives the turn up, today sooner than then.
    recording = recorded(Fault(1.25, Break.STALL))
    assert replay(recording).is_same
    monkeypatch.setattr("livekit.plugins.cartesia_turns.core.hangs.STALLED_AFTER_S", timeouts.STALLED_AFTER_S - 1)
    outcome = replay(recording)
    assert not outcome.is_same
    stalled = [difference for difference in outcome.differences if '"stalled"' in str(difference)]
    assert stalled


@pytest.mark.parametrize("late_s", [0.05, 0.5, 1.5])
def test_a_deadline_that_a_busy_process_kept_late_is_no_difference(late_s: float) -> None:
    now = 100.0
    tape = Tape()
    client = tape.client(Options(), Limits(), lambda: now)
    client.link_opened(Options(), now)
    client.receive(Connected("r"), now)
    late = 0.0
    for _ in range(400):
        now += 0.02
        client.push_audio(b"\0\x20" * 320, now)
        while (item := client.outgoing(now)) is not None:
            client.sent(item, now)
        late = late + 0.02 if now > client.deadline else 0.0
        if late > late_s:
            client.tick(now)
    recording = tape.recording()
    assert any(event["event"] == "usage" for line in recording.lines for event in line.get("events", ()))
    outcome = replay(recording)
    assert outcome.is_same, str(outcome)


def test_live_audio_is_booked_as_it_was_by_a_shell_that_asks_for_no_deadline_after_a_message() -> None:
    tape, now, frame = Tape(), 1.0, b"\0\x20\0\xe0" * 160
    client = tape.client(Options(), Limits(), lambda: now)

    def send() -> None:
        while (item := client.outgoing(now)) is not None:
            client.sent(item, now)

    client.link_opened(client.sockets.options, now)
    client.receive(Connected("r"), now)
    client.push_audio(frame, now)
    send()
    client.receive(TurnStart("r"), now)
    client.push_audio(frame, now)
    send()
    for number in range(4):
        now += 0.02
        assert client.live.take(frame, now)
        client.receive(TurnUpdate("r", f"hi {number}"), now)
    client.link_lost(now)
    client.link_opened(client.sockets.options, now)
    client.receive(Connected("r"), now)
    send()
    assert replay(tape.recording()).is_same


def test_a_client_that_sends_something_else_is_told_where_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = recorded(Fault(0.0, outage_s=3.0))
    assert replay(recording).is_same
    monkeypatch.setattr(pacing, "BURST_S", 2.0)
    outcome = replay(recording)
    assert not outcome.is_same
    sent = [
        difference for difference in outcome.differences if '"audio"' in str(difference) or "ping" in str(difference)
    ]
    assert len(sent) == 1


def test_what_was_known_of_the_endpoint_is_known_again() -> None:
    tape = Tape()
    tape.pace.known = (1.4, 100.0)
    SimulatedCall(SAID, faults=[Fault(0.0, outage_s=3.0)], make_client=tape.client).run()
    recording = tape.recording()
    assert replay(recording).is_same
    opened = [line for line in recording.lines if line.get("call") == "link_opened"]
    assert opened[0]["pace"] == [1.4, 100.0]


def test_many_differences_are_counted_and_the_first_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = recorded()
    monkeypatch.setattr(TurnsClient, "receive", lambda *_: None)
    monkeypatch.setattr("livekit.plugins.cartesia_turns.recording.difference.MOST_SHOWN", 2)
    lines = str(replay(recording)).splitlines()
    assert lines[0].endswith("differences:")
    assert len(lines) == 4
    assert lines[-1].startswith("and ")


def test_counters_that_differ_are_a_difference_too() -> None:
    recording = recorded()
    end = recording.lines[-1]
    end["stats"] = {**end["stats"], "drops": 3}
    (difference,) = replay(recording).differences
    assert (difference.recorded, difference.today) == ({"drops": 3}, {"drops": 0})


def test_a_call_without_its_audio_is_refused() -> None:
    with pytest.raises(SchemaError, match="has no audio"):
        replay(changed(recorded(), audio=None))


def test_a_recording_that_was_cut_short_is_replayed_as_far_as_it_goes() -> None:
    recording = recorded(Fault(1.0))
    half_way = next(nth for nth, line in enumerate(recording.lines) if nth > 10 and "steps" in line)
    half = changed(recording, lines=recording.lines[:half_way])
    outcome = replay(half)
    assert outcome.is_same
    assert outcome.events < replay(recording).events


def test_lines_that_are_not_known_are_passed_over() -> None:
    recording = recorded()
    more = [{"at": 0.0, "weather": "fine"}, {"at": 0.0, "call": "of_tomorrow"}]
    assert replay(changed(recording, lines=[*more, *recording.lines])).is_same


def test_a_recording_without_its_words_replays_the_same() -> None:
    tape = Tape(transcripts=False)
    SimulatedCall(SAID, make_client=tape.client).run()
    recording = tape.recording()
    assert '"w0' not in str(recording.lines)
    assert replay(recording).is_same


def test_what_is_no_recording_raises(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        function(tmp_path)


def test_a_call_whose_audio_was_cut_off_is_refused_and_not_told_to_differ() -> None:
    call = recorded()
    with pytest.raises(SchemaError, match="the audio is cut off"):
        replay(changed(call, audio=(call.audio or b"")[:-640]))

"""Pings tell within ten seconds that nobody is there, and how long a round trip takes."""

from __future__ import annotations

from livekit.plugins.cartesia_turns.core.liveness import DEAD_AFTER_S, PING_EVERY_S, Liveness


def test_a_ping_is_due_at_once_and_then_every_three_seconds() -> None:
    liveness = Liveness(100.0)
    due = []
    for _ in range(4):
        due.append(liveness.ping_at)
        liveness.ping_sent(due[-1])
    assert due == [100.0, 103.0, 106.0, 109.0]
    assert PING_EVERY_S == 3.0


def test_each_ping_has_a_payload_of_its_own() -> None:
    liveness, payloads = Liveness(0.0), set()
    for now in range(50):
        payloads.add(liveness.next_payload)
        liveness.ping_sent(now)
    assert len(payloads) == 50
    assert all(len(payload) <= 125 for payload in payloads)


def test_a_peer_that_never_answers_is_dead_within_ten_seconds() -> None:
    assert Liveness(50.0).dead_at == 50.0 + DEAD_AFTER_S <= 60.0


def test_the_verdict_falls_in_time_or_not_at_all() -> None:
    liveness = Liveness(50.0)
    assert not liveness.is_dead(50.0 + DEAD_AFTER_S - 0.01)
    assert liveness.is_dead(50.0 + DEAD_AFTER_S)


def test_a_process_that_was_held_up_listens_again_before_it_judges() -> None:
    liveness = Liveness(50.0)
    assert not liveness.is_dead(80.0)
    assert liveness.dead_at == 80.0 + PING_EVERY_S
    assert liveness.is_dead(80.0 + PING_EVERY_S)


def test_any_frame_is_a_sign_of_life() -> None:
    liveness = Liveness(0.0)
    liveness.heard(4.0)
    assert liveness.dead_at == 4.0 + DEAD_AFTER_S
    liveness.pong(b"nobody asked", 5.0)
    assert liveness.dead_at == 5.0 + DEAD_AFTER_S


def test_a_pong_tells_the_round_trip_and_when_its_ping_was_sent() -> None:
    liveness = Liveness(0.0)
    first = liveness.next_payload
    liveness.ping_sent(1.0)
    assert liveness.rtt_s is None
    assert liveness.pong(first, 1.25) == 1.0
    assert liveness.rtt_s == 0.25


def test_a_pong_counts_once_and_confirms_the_pings_before_it() -> None:
    liveness = Liveness(0.0)
    first = liveness.next_payload
    liveness.ping_sent(1.0)
    second = liveness.next_payload
    liveness.ping_sent(4.0)
    assert liveness.pong(second, 5.0) == 4.0
    assert liveness.pong(second, 5.1) is None
    assert liveness.pong(first, 5.2) is None
    assert liveness.rtt_s == 1.0


def test_the_shortest_round_trip_is_remembered() -> None:
    liveness = Liveness(0.0)
    shortest = []
    for sent_at, took_s in [(1.0, 0.5), (4.0, 0.25), (7.0, 2.0)]:
        payload = liveness.next_payload
        liveness.ping_sent(sent_at)
        liveness.pong(payload, sent_at + took_s)
        shortest.append(liveness.shortest_rtt_s)
    assert shortest == [0.5, 0.25, 0.25]
    assert liveness.rtt_s == 2.0


def test_an_answer_that_takes_much_longer_than_others_says_that_the_line_is_slow() -> None:
    liveness = Liveness(0.0)
    slow = []
    for number, took_s in enumerate((0.1, 0.25, 0.5, 0.1)):
        payload = liveness.next_payload
        liveness.ping_sent(number)
        liveness.pong(payload, number + took_s)
        slow.append(liveness.is_slow(number + took_s))
    assert slow == [False, False, True, False]


def test_a_ping_that_waits_for_long_says_so_before_its_answer_comes() -> None:
    liveness = Liveness(0.0)
    liveness.ping_sent(1.0)
    liveness.ping_sent(1.1)
    assert not liveness.is_slow(1.2)
    assert liveness.is_slow(1.3)
    liveness.pong(b"0", 1.3)
    assert not liveness.is_slow(1.5)
    assert liveness.is_slow(1.7)

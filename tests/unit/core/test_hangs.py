"""Which way a turn hangs, where several may be due at once, and when a socket is replaced for it."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.core.chunk import Chunk
from livekit.plugins.cartesia_turns.core.hangs import REPLACED_EVERY_S, Hang, Hangs, answers
from livekit.plugins.cartesia_turns.core.link import HangUp, Link
from livekit.plugins.cartesia_turns.core.liveness import DEAD_AFTER_S
from livekit.plugins.cartesia_turns.core.timeouts import GIVE_UP_AFTER_S, RESCUE_S, STALLED_AFTER_S
from livekit.plugins.cartesia_turns.wire.messages import Connected, TurnSettings, TurnStart
from livekit.plugins.cartesia_turns.wire.options import Options

TIMEOUT_S = 1.0
LIMIT_S = TIMEOUT_S + STALLED_AFTER_S


def turn() -> tuple[Hangs, Link]:
    """A turn that began at 0, on a socket that answers."""
    link = Link(Options(turn=TurnSettings(end_timeout_ms=round(TIMEOUT_S * 1000))), 10.0, 0.0)
    link.heard(Connected("r"), 0.0)
    link.heard(TurnStart("r"), 0.0)
    hangs = Hangs(0.5)
    hangs.socket_opened(0.0)
    hangs.turn_started(0.0)
    hangs.watchdog.audio_sent(0.02, 0.0)
    return hangs, link


def due(hangs: Hangs, link: Link | None, now: float, *, resuming: bool = False, waits: bool = True) -> Hang | None:
    hang = hangs.due(now, link, is_resuming=resuming, waits_for_audio=waits)
    deadline = hangs.deadline(link, is_resuming=resuming, waits_for_audio=waits)
    assert (hang is not None) == (now >= deadline)
    return hang


def send(hangs: Hangs, link: Link, seconds: float, now: float, *, voiced: bool = True) -> None:
    hangs.audio_sent([Chunk(b"", seconds, voiced, 1.0 if voiced else 0.0)], now, link)
    link.liveness.heard(now)


def test_audio_that_stops_in_a_turn_is_missed_and_in_the_end_the_turn_is_overdue() -> None:
    hangs, link = turn()
    assert due(hangs, link, 0.3) is None
    assert due(hangs, link, 0.4) is Hang.NO_AUDIO
    assert hangs.watchdog.postpone(0.4)
    assert due(hangs, link, 0.45) is None
    assert due(hangs, link, 0.5) is Hang.NO_AUDIO
    hangs.watchdog.silence_sent(TIMEOUT_S + GIVE_UP_AFTER_S, 0.5)
    assert due(hangs, link, 2.0) is Hang.OVERDUE


def test_no_audio_is_missed_where_none_is_waited_for_or_the_server_is_in_no_turn() -> None:
    hangs, link = turn()
    assert due(hangs, link, 5.0, waits=False) is None
    link.in_turn = False
    assert due(hangs, link, 5.0) is None
    assert due(hangs, None, 5.0) is None


def test_a_server_that_takes_audio_and_says_nothing_has_stalled_unless_it_may_be_dead() -> None:
    hangs, link = turn()
    send(hangs, link, LIMIT_S, LIMIT_S)
    assert due(hangs, link, LIMIT_S) is Hang.STALLED
    dead, silent = turn()
    dead.audio_sent([Chunk(b"", LIMIT_S)], LIMIT_S, silent)
    assert not answers(silent, DEAD_AFTER_S)
    assert due(dead, silent, LIMIT_S, waits=False) is None


@pytest.mark.parametrize("has_text", [False, True])
def test_an_event_keeps_a_turn_open_only_where_the_turn_has_words(has_text: bool) -> None:
    hangs, link = turn()
    send(hangs, link, LIMIT_S, LIMIT_S)
    hangs.heard(LIMIT_S - 0.1, has_text=has_text, settles=True)
    assert (due(hangs, link, LIMIT_S, waits=False) is None) == has_text


def test_a_socket_that_goes_is_not_judged_any_more() -> None:
    hangs, link = turn()
    send(hangs, link, LIMIT_S, LIMIT_S)
    link.hang_up = HangUp.ROTATE
    assert due(hangs, link, LIMIT_S) is None


def test_a_turn_waits_for_its_replay_and_not_for_ever() -> None:
    hangs, _ = turn()
    hangs.socket_lost(1.0)
    assert due(hangs, None, 1.0 + RESCUE_S - 0.1, resuming=True) is None
    assert due(hangs, None, 1.0 + RESCUE_S, resuming=True) is Hang.NOT_RESUMED


def test_a_socket_is_replaced_at_once_and_then_not_again_too_soon() -> None:
    hangs, link = turn()
    assert hangs.turn_left(5.0, is_deaf=True)
    assert not hangs.turn_left(6.0, is_deaf=True)
    assert hangs.is_deaf
    link.in_turn = False
    assert due(hangs, link, 5.0 + REPLACED_EVERY_S - 0.1) is None
    assert due(hangs, link, 5.0 + REPLACED_EVERY_S) is Hang.DEAF
    hangs.replaced(5.0 + REPLACED_EVERY_S)
    assert not hangs.is_deaf


def test_a_server_without_words_is_in_doubt_until_it_lets_too_much_silence_pass() -> None:
    hangs, link = turn()
    send(hangs, link, 1.0, 1.0)
    assert not hangs.turn_left(1.0, is_deaf=False)
    assert hangs.may_be_deaf
    assert not hangs.is_deaf
    link.in_turn = False
    send(hangs, link, LIMIT_S, 1.0 + LIMIT_S, voiced=False)
    assert due(hangs, link, 1.0 + LIMIT_S) is Hang.DEAF
    hangs.heard(1.0 + LIMIT_S, has_text=False, settles=True)
    assert not hangs.may_be_deaf


def test_a_server_counts_as_deaf_only_while_there_is_a_socket() -> None:
    hangs, link = turn()
    hangs.turn_left(5.0, is_deaf=True)
    hangs.turn_left(6.0, is_deaf=True)
    assert due(hangs, None, 5.0 + REPLACED_EVERY_S) is None
    assert due(hangs, link, 5.0 + REPLACED_EVERY_S) is Hang.DEAF

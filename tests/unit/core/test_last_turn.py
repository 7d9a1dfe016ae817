from __future__ import annotations

from livekit.plugins.cartesia_turns.core.last_turn import LastTurn


def test_before_the_first_turn_a_replay_repeats_nothing() -> None:
    assert LastTurn().echo(0) == ("", False)


def test_a_replay_may_repeat_a_turn_as_long_as_audio_of_it_is_held() -> None:
    last = LastTurn()
    last.told("hi", 100, is_whole=True)
    assert (last.echo(99), last.is_gone(99)) == (("hi", True), False)
    assert (last.echo(100)[0], last.is_gone(100)) == ("", True)


def test_a_turn_whose_audio_is_settled_is_never_repeated() -> None:
    last = LastTurn()
    last.told("hi", 100, is_whole=True)
    last.told("ho", None, is_whole=False)
    assert last.echo(0) == ("", False)

"""What a config changes on an open socket, which error answers it, and what is in force then."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.cartesia_turns.core.changes import ABOUT_THE_SOCKET, settings_of
from livekit.plugins.cartesia_turns.core.configs import (
    ANSWER_S,
    CLOSE_FOLLOWS_S,
    CONFIG_SPACING_S,
    LONGEST_END_TIMEOUT_MS,
    Configs,
)
from livekit.plugins.cartesia_turns.wire.messages import Config, ErrorMessage, TurnSettings
from livekit.plugins.cartesia_turns.wire.options import Options

BAD = ErrorMessage("That is out of range.", status_code=400)
PLAIN = Options()


def turn(**settings: Any) -> Options:
    return Options(turn=TurnSettings(**settings))


def send(subject: Configs, wanted: Options, now: float) -> Config | None:
    """Sends the change to these options, if one may go out."""
    change = subject.change_to(wanted, now, rtt_s=0.1)
    if change is not None:
        subject.sent(change, now)
    return change


def receive(subject: Configs, error: ErrorMessage, now: float) -> bool:
    return subject.receive(error, now, rtt_s=0.1, shortest_rtt_s=0.05)


# What a config can change.


def test_only_what_differs_and_is_given_is_sent() -> None:
    subject = Configs(turn(start_threshold=0.7, end_timeout_ms=900))
    assert send(subject, turn(start_threshold=0.7, end_timeout_ms=1000), 0.0) == Config(
        TurnSettings(end_timeout_ms=1000)
    )
    assert send(subject, turn(start_threshold=0.7, end_timeout_ms=1000), 9.0) is None


def test_a_setting_goes_back_to_a_value_that_was_given_on_the_same_socket() -> None:
    subject = Configs(turn(end_timeout_ms=900))
    send(subject, turn(end_timeout_ms=5000), 0.0)
    assert subject.serves(turn(end_timeout_ms=900))
    assert send(subject, turn(end_timeout_ms=900), 9.0) == Config(TurnSettings(end_timeout_ms=900))


def test_a_setting_goes_back_to_the_servers_default_with_a_new_socket_alone() -> None:
    subject = Configs(PLAIN)
    assert subject.serves(turn(end_timeout_ms=5000))
    send(subject, turn(end_timeout_ms=5000), 0.0)
    assert not subject.serves(PLAIN)
    assert send(subject, PLAIN, 9.0) is None
    assert Configs(PLAIN).serves(PLAIN)


def test_no_number_is_sent_that_the_user_did_not_give() -> None:
    subject = Configs(PLAIN)
    send(subject, turn(eager_end_threshold=0.5, end_threshold=0.3), 0.0)
    assert send(subject, turn(end_threshold=0.2), 9.0) == Config(TurnSettings(end_threshold=0.2))


def test_what_contradicts_the_rest_of_the_last_settings_waits_for_a_new_socket() -> None:
    subject = Configs(PLAIN)
    send(subject, turn(eager_end_threshold=0.55, end_threshold=0.4), 0.0)
    wanted = turn(eager_end_threshold=0.35)
    assert not subject.serves(wanted)
    assert send(subject, wanted, 9.0) is None


def test_another_model_or_rate_takes_a_new_socket() -> None:
    assert not Configs(PLAIN).serves(Options(sample_rate=8000))
    assert not Configs(PLAIN).serves(Options(model="ink-3"))


@pytest.mark.parametrize("model", ["ink-2", "ink-3"])
def test_keyterms_take_a_new_socket_where_a_config_is_not_known_to_change_them(model: str) -> None:
    subject, wanted = Configs(Options(model=model)), Options(model=model, keyterms=("LiveKit",))
    assert not subject.serves(wanted)
    assert send(subject, wanted, 0.0) is None


def test_language_hints_of_ink_preview_change_by_a_config() -> None:
    subject = Configs(Options(model="ink-preview", language_hints=("pt",)))
    wanted = Options(model="ink-preview", language_hints=("pt", "en"))
    assert subject.serves(wanted)
    assert send(subject, wanted, 0.0) == Config(language_hints=("pt", "en"))
    assert not Configs(PLAIN).serves(Options(language_hints=("pt",)))


def test_keyterms_of_ink_preview_change_by_a_config_and_are_cleared_by_an_empty_list() -> None:
    subject, wanted = Configs(Options(model="ink-preview")), Options(model="ink-preview", keyterms=("LiveKit",))
    assert subject.serves(wanted)
    assert send(subject, wanted, 0.0) == Config(keyterms=("LiveKit",))
    assert send(subject, Options(model="ink-preview"), 9.0) == Config(keyterms=())


# When.


def test_a_second_config_waits_so_that_an_error_answers_one_of_them_for_certain() -> None:
    subject = Configs(PLAIN)
    send(subject, turn(end_timeout_ms=900), 0.0)
    assert send(subject, turn(end_timeout_ms=1000), CONFIG_SPACING_S / 2) is None
    assert subject.send_at == CONFIG_SPACING_S
    assert send(subject, turn(end_timeout_ms=1000), CONFIG_SPACING_S) == Config(TurnSettings(end_timeout_ms=1000))
    assert subject.change_to(turn(end_timeout_ms=1000), CONFIG_SPACING_S, rtt_s=0.1) is None
    assert subject.send_at == math.inf


def test_on_a_slow_line_it_waits_for_two_round_trips() -> None:
    subject = Configs(PLAIN)
    send(subject, turn(end_timeout_ms=900), 0.0)
    assert subject.change_to(turn(end_timeout_ms=1000), 1.9, rtt_s=1.0) is None
    assert subject.change_to(turn(end_timeout_ms=1000), 2.0, rtt_s=1.0) is not None


# What an error answers.


def test_an_error_after_a_config_rejects_it_once_the_socket_has_outlived_it() -> None:
    subject = Configs(turn(start_threshold=0.7))
    change = send(subject, turn(start_threshold=0.7, end_timeout_ms=900), 0.0)
    assert receive(subject, BAD, 0.2)
    assert subject.error == BAD
    assert subject.decide_at == 0.2 + CLOSE_FOLLOWS_S
    assert subject.decide(1.1) is None
    rejected = subject.decide(1.2)
    assert rejected is not None
    assert (rejected.change, rejected.error) == (change, BAD)
    assert subject.in_force == settings_of(turn(start_threshold=0.7))
    assert subject.decide_at == math.inf


def test_a_rejected_change_is_not_sent_again_and_another_one_is() -> None:
    subject = Configs(PLAIN)
    send(subject, turn(end_timeout_ms=900), 0.0)
    receive(subject, BAD, 0.2)
    subject.decide(9.0)
    assert send(subject, turn(end_timeout_ms=900), 10.0) is None
    assert send(subject, turn(end_timeout_ms=1000), 11.0) == Config(TurnSettings(end_timeout_ms=1000))


@pytest.mark.parametrize("status", sorted(ABOUT_THE_SOCKET))
def test_an_error_about_the_key_or_the_plan_answers_no_config(status: int) -> None:
    subject = Configs(PLAIN)
    send(subject, turn(end_timeout_ms=900), 0.0)
    assert not receive(subject, ErrorMessage("No.", status_code=status), 0.2)


def test_an_error_that_comes_too_late_answers_no_config() -> None:
    subject = Configs(PLAIN)
    send(subject, turn(end_timeout_ms=900), 0.0)
    assert not receive(subject, BAD, ANSWER_S)


def test_an_error_may_come_sooner_than_any_pong_did() -> None:
    subject = Configs(PLAIN)
    send(subject, turn(end_timeout_ms=900), 0.0)
    assert subject.receive(BAD, 0.01, rtt_s=0.5, shortest_rtt_s=0.5)


def test_an_error_without_a_config_answers_none() -> None:
    assert not receive(Configs(PLAIN), BAD, 1.0)


def test_two_errors_about_one_config_are_one_rejection() -> None:
    subject = Configs(PLAIN)
    send(subject, turn(end_threshold=0.05, end_timeout_ms=700), 0.0)
    assert receive(subject, BAD, 0.2)
    assert receive(subject, BAD, 0.3)
    assert subject.decide(2.0)
    assert receive(subject, BAD, 2.1)
    assert subject.decide(9.0) is None


def test_of_two_configs_the_last_one_is_meant_if_it_can_have_been_answered() -> None:
    for at, meant in ((1.01, 900), (1.2, 1000)):
        subject = Configs(PLAIN)
        send(subject, turn(end_timeout_ms=900), 0.5)
        send(subject, turn(end_timeout_ms=1000), 1.0)
        receive(subject, BAD, at)
        rejected = subject.decide(9.0)
        assert rejected is not None
        assert rejected.change == Config(TurnSettings(end_timeout_ms=meant))


def test_where_two_configs_may_be_meant_a_new_socket_makes_it_certain_what_is_in_force() -> None:
    subject = Configs(PLAIN)
    send(subject, turn(end_timeout_ms=900), 0.0)
    send(subject, turn(end_timeout_ms=1000), 1.0)
    receive(subject, BAD, 1.2)
    subject.decide(9.0)
    assert subject.in_force.turn.end_timeout_ms == 900
    assert not subject.serves(turn(end_timeout_ms=900))


def test_no_config_goes_out_while_an_error_is_undecided() -> None:
    subject = Configs(PLAIN)
    send(subject, turn(end_timeout_ms=900), 0.0)
    receive(subject, BAD, 0.6)
    assert send(subject, turn(end_timeout_ms=1000), 0.7) is None
    subject.decide(1.6)
    assert send(subject, turn(end_timeout_ms=1000), 1.6) is not None


# What is in force.


def test_the_end_timeout_is_the_longest_that_may_be_in_force() -> None:
    longest_s = LONGEST_END_TIMEOUT_MS / 1000
    assert Configs(PLAIN).end_timeout_s == longest_s
    subject = Configs(turn(end_timeout_ms=3000))
    assert subject.end_timeout_s == 3.0
    send(subject, turn(end_timeout_ms=900), 0.0)
    assert subject.end_timeout_s == 3.0, "the server may not have it yet"
    send(subject, turn(end_timeout_ms=900), ANSWER_S)
    assert subject.end_timeout_s == 0.9


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.sampled_from([700, 900, 1000])),
            st.floats(0, 3),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_a_server_that_rejects_what_it_likes_and_the_client_agree_on_what_is_in_force(
    steps: list[tuple[int | None, float, bool]],
) -> None:
    subject, now, server, wanted = Configs(PLAIN), 0.0, Config(TurnSettings()), PLAIN
    for timeout_ms, wait_s, rejects in steps:
        wanted = turn() if timeout_ms is None else turn(end_timeout_ms=timeout_ms)
        change = send(subject, wanted, now)
        if change is not None and rejects:
            assert receive(subject, BAD, now + 0.1)
        elif change is not None:
            server = change
        now += 0.1 + CLOSE_FOLLOWS_S + wait_s
        subject.decide(now)
        assert subject.in_force.turn.end_timeout_ms == server.turn.end_timeout_ms

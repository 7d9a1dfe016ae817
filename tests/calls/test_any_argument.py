"""Whatever is given to an STT as one of its arguments: an error that names the argument, or a stream that works."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from livekit.agents import NOT_GIVEN, APIConnectOptions, APIError
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.errors import ServerError
from livekit.plugins.cartesia_turns.server import LocalServer, Script, say
from livekit.plugins.cartesia_turns.wire.messages import TurnEnd, TurnSettings, TurnStart
from support.calls import Call
from support.waiting import until

ARGUMENTS = sorted(inspect.signature(cartesia_turns.STT).parameters)
CHANGES = sorted(set(inspect.signature(cartesia_turns.STT.update_options).parameters) - {"self"})
SERVERS_TO_SAY = {
    "model",
    "language_hints",
    "turn_start_threshold",
    "turn_eager_end_threshold",
    "turn_end_threshold",
    "turn_end_timeout_ms",
}
"""What this server may refuse and another one take."""
CREDENTIALS = {"api_key", "access_token"}
SCRIPT = Script([say(0.05, TurnStart("")), say(0.1, TurnEnd("", "hello"))])
PRIVATE = {*CREDENTIALS, "base_url", "extra_headers", "keyterm"}
SECRET = "5ecret"
WRITTEN_OUT = "an object as it shows itself"


class Odd:
    """An object that gives itself away, and is neither hashable nor equal to anything."""

    __hash__ = None  # type: ignore[assignment]  # not hashable

    def __eq__(self, _: object) -> bool:
        return False

    def __repr__(self) -> str:
        return WRITTEN_OUT

    def __call__(self) -> str:
        return SECRET


NUMBERS = [0, 1, 20, 20.0, 1000, 99999, 10**400, math.inf, -0.0, 5e-324, 1e308, Fraction(1, 2), 1j]
TEXTS = ["en", "pt-BR", "ink-2", "\ud800", "a\r\nb", " a ", "\0", "\ufeff", "é", "https://[", "http://a:b", SECRET * 9]
texts = st.text() | st.text(st.characters(), max_size=5) | st.sampled_from(TEXTS)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.floats(0, 1)
    | st.sampled_from(NUMBERS)
    | texts
    | st.binary(max_size=5)
    | st.sampled_from([Odd(), NOT_GIVEN, len, int, Odd, iter(()), object(), b"5ecret"])
)
anything = (
    scalars
    | st.lists(scalars, max_size=3)
    | st.lists(texts, max_size=3).map(tuple)
    | st.dictionaries(texts, scalars, max_size=3)
    | st.frozensets(texts, max_size=3)
)


def error_of(arguments: dict[str, Any]) -> Exception | None:
    """What comes of making an STT of these."""
    try:
        cartesia_turns.STT(**{"base_url": "http://127.0.0.1:9", "api_key": "k", **arguments})
    except (ValueError, TypeError) as error:
        return error
    return None


async def outcome(arguments: dict[str, Any]) -> tuple[list[str], BaseException | None]:
    """What comes out of a stream for 0.2 s of audio, and the error that it ended with."""
    async with LocalServer(script=SCRIPT) as server:
        owner = cartesia_turns.STT(**{"base_url": server.url, "api_key": server.key, **arguments})
        call = Call(owner, owner.stream(conn_options=APIConnectOptions(max_retry=0, timeout=2.0)))
        call.push(0.2)
        await until(lambda: call.is_over or "END" in call.log, within_s=5.0)
        await call.stream.aclose()
        return call.log[-2:], call.raised


@pytest.mark.parametrize("argument", ARGUMENTS)
@settings(max_examples=50)
@given(value=anything)
@example(value=20.0)
@example(value=True)
@example(value="1000")
@example(value=99999)
@example(value=math.nan)
@example(value=1e308)
@example(value=10**5000)
@example(value=[])
@example(value={"X-Mine": "a\nb"})
@example(value=["pt"])
def test_an_argument_is_refused_by_name_or_the_stream_works(argument: str, value: object) -> None:
    arguments: dict[str, Any] = {argument: value}
    if argument == "access_token":
        arguments["api_key"] = None
    error = error_of(arguments)
    if error is not None:
        assert argument in str(error)
        assert WRITTEN_OUT not in str(error)
        assert argument not in PRIVATE or SECRET not in str(error)
    elif argument != "base_url":
        log, raised = asyncio.run(outcome(arguments))
        if raised is None:
            assert log == ["FINAL hello", "END"]
        elif argument in SERVERS_TO_SAY:
            assert isinstance(raised, ServerError)
            assert raised.status_code == 400
        else:
            assert argument in CREDENTIALS
            assert isinstance(raised, APIError)
            assert SECRET not in str(raised)


@pytest.mark.parametrize("argument", ["profile", *TurnSettings.__slots__])
@given(value=anything)
@example(value="digits")
@example(value=["digits"])
@example(value=1.5)
def test_a_profile_is_refused_by_name_or_holds_for_calls_to_come(argument: str, value: object) -> None:
    owner = cartesia_turns.STT(base_url="http://127.0.0.1:9", api_key="k")
    settings: dict[str, Any] = {argument: value}
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(owner.turn_profile(**settings))
        except (ValueError, TypeError) as error:
            said = str(error)
        else:
            said = argument
        assert owner._calls.to_come().current
    assert argument in said
    assert WRITTEN_OUT not in said


@pytest.mark.parametrize("argument", CHANGES)
@given(value=anything)
def test_a_change_is_refused_by_name_or_made(argument: str, value: object) -> None:
    owner = cartesia_turns.STT(base_url="http://127.0.0.1:9", api_key="k")
    change: dict[str, Any] = {argument: value}
    try:
        owner.update_options(**change)
    except (ValueError, TypeError) as error:
        said = str(error)
    else:
        said = argument
    assert argument in said
    assert WRITTEN_OUT not in said


@given(value=anything)
def test_no_language_of_a_stream_is_an_error_since_that_would_leave_a_session_deaf(value: Any) -> None:
    owner = cartesia_turns.STT(base_url="http://127.0.0.1:9", api_key="k")
    assert owner._language_of(value) is None or isinstance(value, str)

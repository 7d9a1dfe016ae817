from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import Any

import pytest
from livekit.agents import NOT_GIVEN, APIConnectionError, APIConnectOptions, APITimeoutError
from livekit.agents import stt as agents_stt
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.server import Faults, LocalServer, Script, say
from livekit.plugins.cartesia_turns.wire.messages import TurnEagerEnd, TurnEnd, TurnResume, TurnStart, TurnUpdate
from support.calls import PUBLIC_EVENTS, Call, calling, silent_frame, talking
from support.script import SAYS_NOTHING
from support.waiting import until

PATIENT = APIConnectOptions(timeout=1.0)
DIALOGUE = Script(
    [
        say(0.1, TurnStart("")),
        say(0.2, TurnUpdate("", "so ")),
        say(0.3, TurnEagerEnd("", "so long")),
        say(0.4, TurnResume("")),
        say(0.5, TurnEnd("", "so long then")),
    ]
)


SEVEN = ["pt", "en", "fr", "es", "it", "de", "nl"]
SOURCE = "https://docs.cartesia.ai/api-reference/stt/turns/websocket"


def make(**arguments: Any) -> cartesia_turns.STT:
    return cartesia_turns.STT(**{"api_key": "k", **arguments})


# Construction.


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"turn_start_threshold": 1.5}, ("turn_start_threshold", "1.5", "0 to 1")),
        ({"turn_eager_end_threshold": -0.2}, ("turn_eager_end_threshold", "-0.2", "0 to 1")),
        ({"turn_end_threshold": True}, ("turn_end_threshold", "True", "number")),
        ({"turn_end_timeout_ms": "1000"}, ("turn_end_timeout_ms", "'1000'", "is not a finite number")),
        ({"turn_end_timeout_ms": 0}, ("turn_end_timeout_ms", "0", "greater than 0")),
        ({"turn_end_timeout_ms": "1000"}, ("turn_end_timeout_ms", "'1000'", "number")),
        (
            {"turn_start_threshold": 0.55, "turn_eager_end_threshold": 0.55},
            ("turn_start_threshold=0.55", "turn_eager_end_threshold=0.55"),
        ),
        ({"sample_rate": 4000}, ("sample_rate", "4000", "8000", "48000")),
        ({"sample_rate": 96000}, ("sample_rate", "96000", "8000", "48000")),
        ({"keyterm": ["a"] * 101}, ("keyterm", "101", "100")),
        ({"keyterm": ["a" * 601, "b" * 600]}, ("keyterm", "1201", "1200")),
        ({"keyterm": ["a", " "]}, ("keyterm", "empty")),
        ({"keyterm": 5}, ("keyterm", "int", "list")),
        ({"language": "no language"}, ("language", "'no language'", "'pt-BR'")),
        ({"model": ""}, ("model", "''", "ink-2")),
        ({"model": "ink-whisper"}, ("model", "'ink-whisper'", "'ink-2'")),
        ({"watchdog_min_timeout": 0}, ("watchdog_min_timeout", "0", "greater than 0")),
        ({"max_buffer": -1.0}, ("max_buffer", "-1.0", "greater than 0")),
        ({"audio_chunk_duration_ms": 0}, ("audio_chunk_duration_ms", "0", "10 to 200")),
        ({"audio_chunk_duration_ms": 99999}, ("audio_chunk_duration_ms", "99999", "10 to 200")),
        ({"audio_chunk_duration_ms": 20.0}, ("audio_chunk_duration_ms", "20.0", "int")),
        ({"outage_timeout": -1.0}, ("outage_timeout", "-1.0")),
        ({"watchdog_min_timeout": float("nan")}, ("watchdog_min_timeout", "nan")),
        ({"base_url": "ftp://host"}, ("base_url", "http(s)://", "ws(s)://")),
        ({"base_url": ""}, ("base_url", "http(s)://")),
        ({"base_url": "https://host/?key=1"}, ("base_url", "query")),
        ({"base_url": "https://me:secret@host"}, ("base_url", "user name")),
        ({"base_url": "http://example.com"}, ("base_url", "example.com", "allow_plaintext=True")),
        ({"base_url": "ws://10.0.0.1/x"}, ("base_url", "10.0.0.1", "allow_plaintext=True")),
    ],
)
def test_an_argument_out_of_range_is_named_with_its_value_and_what_is_allowed(
    arguments: dict[str, Any], said: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        make(**arguments)
    assert not [part for part in said if part not in str(caught.value)], str(caught.value)
    assert "secret" not in str(caught.value)


def test_no_key_and_no_token_is_an_error_that_says_where_one_may_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARTESIA_API_KEY", raising=False)
    with pytest.raises(ValueError, match=r"api_key.*access_token.*CARTESIA_API_KEY"):
        cartesia_turns.STT()


@pytest.mark.parametrize(
    "arguments",
    [
        {"turn_start_threshold": None, "turn_end_timeout_ms": NOT_GIVEN, "keyterm": None},
        {"audio_chunk_duration_ms": 160, "keyterm": ["LiveKit"], "sample_rate": 8000},
        {"turn_start_threshold": 0.9, "turn_eager_end_threshold": 0.6, "turn_end_threshold": 0.5},
        {"turn_eager_end_threshold": 0.7},
        {"model": "ink-preview", "language": "pt-BR", "language_hints": ["pt-BR", "en"]},
        {"language": "ja"},
        {"model": "ink-preview", "language": "nb-NO"},
        {"language": "en_GB"},
    ],
)
def test_what_is_known_to_be_right_is_taken_without_a_word(
    arguments: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    assert make(**arguments).provider == "Cartesia"
    assert not caplog.records


@pytest.mark.parametrize(
    ("arguments", "details"),
    [
        (
            {"turn_start_threshold": 0.95},
            {"option": "turn_start_threshold", "value": "0.95", "known": "0.5 to 0.9", "source": SOURCE},
        ),
        ({"turn_end_timeout_ms": 100}, {"option": "turn_end_timeout_ms", "value": "100", "since": "2026-08-14"}),
        ({"turn_eager_end_threshold": 0.9}, {"option": "turn_eager_end_threshold", "known": "0.3 to 0.8"}),
        ({"turn_start_threshold": 0.55}, {"option": "turn_start_threshold", "value": "0.55", "since": "2026-08-14"}),
        ({"language": "de-CH"}, {"option": "language", "value": "de", "known": "en, fr, hi, ja, es"}),
        ({"language_hints": ["de"]}, {"option": "language_hints", "value": "de", "known": "ink-preview"}),
        (
            {"model": "ink-preview", "language_hints": SEVEN},
            {"value": "pt, en, fr, es, it, de, nl", "known": "at most 6", "since": "2026-11-25"},
        ),
        ({"model": "ink-3"}, {"option": "model", "value": "ink-3", "known": "ink-2, ink-preview"}),
    ],
)
def test_what_is_not_known_is_taken_with_one_warning_that_says_what_is_and_since_when(
    arguments: dict[str, Any], details: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    owner = make(**arguments)
    owner.update_options(keyterm=["Ada"])
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert {name: getattr(record, name) for name in details} == details
    assert not record.args


def test_each_option_that_is_not_known_is_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    owner = make(turn_start_threshold=0.95)
    owner.update_options(turn_start_threshold=0.96, turn_end_timeout_ms=100)
    owner.update_options(turn_end_timeout_ms=99)
    assert [getattr(record, "option", "") for record in caplog.records] == [
        "turn_start_threshold",
        "turn_end_timeout_ms",
    ]


def test_a_key_and_a_token_together_are_refused() -> None:
    with pytest.raises(ValueError, match="api_key and access_token are both given") as caught:
        make(api_key="secret", access_token="secret")
    assert "secret" not in str(caught.value)
    assert make(api_key="", access_token="token")


def test_it_tells_the_framework_what_it_can_do() -> None:
    capabilities = make().capabilities
    assert (capabilities.streaming, capabilities.interim_results, capabilities.offline_recognize) == (True, True, False)


async def test_recognizing_a_whole_buffer_is_not_implemented() -> None:
    with pytest.raises(NotImplementedError, match=r"stream\(\)"):
        await make()._recognize_impl(silent_frame(1), conn_options=PATIENT)


def test_its_repr_and_its_settings_hold_no_secret() -> None:
    owner = make(api_key="sk-secret", extra_headers={"X-Mine": "sk-secret"})
    assert "sk-secret" not in f"{owner!r} {owner._settings!r} {owner._dialer!r}"


def test_a_change_and_a_profile_are_warned_about_as_construction_is(caplog: pytest.LogCaptureFixture) -> None:
    owner = make()
    owner.update_options(language="de-CH")
    owner.update_options(language_hints=["de"], turn_end_timeout_ms=100)
    with owner.turn_profile(eager_end_threshold=0.9):
        pass
    options = [getattr(record, "option", "") for record in caplog.records]
    assert options == ["language", "turn_end_timeout_ms", "language_hints", "turn_eager_end_threshold"]


def test_more_hints_than_are_known_to_be_taken_are_warned_about_when_they_are_changed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    owner = make(model="ink-preview", language_hints=SEVEN[:6])
    assert not caplog.records
    owner.update_options(language_hints=SEVEN)
    [record] = caplog.records
    assert (getattr(record, "option", ""), getattr(record, "known", "")) == ("language_hints", "at most 6")


def test_a_profile_that_does_not_fit_is_refused_while_there_is_no_call() -> None:
    owner = make(turn_start_threshold=0.5)
    with pytest.raises(ValueError, match="must hold"), owner.turn_profile("yes_no"):
        pass
    with owner.turn_profile(eager_end_threshold=0.3), pytest.raises(ValueError, match="must hold"):
        owner.update_options(turn_end_threshold=0.4)
    assert owner._calls.base.turn.end_threshold is None


# What goes into the handshake.


@pytest.mark.parametrize(
    "form",
    [
        "http://127.0.0.1:{port}",
        "http://127.0.0.1:{port}/",
        "ws://127.0.0.1:{port}",
        "http://localhost:{port}",
        "ws://127.0.0.1:{port}/stt/turns/websocket",
        "http://127.0.0.1:{port}/stt/turns/websocket/",
    ],
)
async def test_the_address_is_taken_in_any_form(form: str) -> None:
    async with LocalServer(script=SAYS_NOTHING) as server:
        url = form.format(port=server.url.rpartition(":")[2])
        async with calling(server, via=url) as call:
            await until(lambda: call.named("connected"))


async def test_the_handshake_carries_key_version_headers_and_options() -> None:
    async with (
        LocalServer(script=SAYS_NOTHING) as server,
        calling(
            server,
            extra_headers={"X-Mine": "yes"},
            api_version="2026-09-09",
            keyterm=["Ada Lovelace", "C++ & C#", "naïve"],
            turn_end_threshold=0.3,
            turn_end_timeout_ms=1000,
            sample_rate=8000,
        ) as call,
    ):
        await until(lambda: call.named("connected"))
        record = server.connections[0]
    assert (record.headers["X-Mine"], record.headers["Cartesia-Version"]) == ("yes", "2026-09-09")
    assert record.query == [
        ("model", "ink-2"),
        ("encoding", "pcm_s16le"),
        ("sample_rate", "8000"),
        ("keyterm", "Ada Lovelace"),
        ("keyterm", "C++ & C#"),
        ("keyterm", "naïve"),
        ("turn_end_threshold", "0.3"),
        ("turn_end_timeout_ms", "1000"),
    ]


async def test_the_default_version_is_the_one_whose_errors_are_json() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server, calling(server) as call:
        await until(lambda: call.named("connected"))
        assert server.connections[0].headers["Cartesia-Version"] == "2026-03-01"


async def test_the_key_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with LocalServer(script=SAYS_NOTHING) as server:
        monkeypatch.setenv("CARTESIA_API_KEY", server.key)
        async with talking(cartesia_turns.STT(base_url=server.url)) as call:
            await until(lambda: call.named("connected"))


async def test_a_token_goes_out_as_bearer_and_no_key_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", "the wrong one")
    async with LocalServer(script=SAYS_NOTHING) as server:
        async with talking(cartesia_turns.STT(base_url=server.url, access_token=server.key)) as call:
            await until(lambda: call.named("connected"))
        assert "X-API-Key" not in server.connections[0].headers


async def test_a_token_function_is_asked_at_each_connect() -> None:
    asked: list[int] = []
    async with LocalServer(script=SAYS_NOTHING) as server:

        async def token() -> str:
            asked.append(1)
            return server.key

        async with calling(server, api_key=None, access_token=token) as call:
            await until(lambda: len(call.named("connected")) == 1)
            await server.drop_all(1001)
            call.push(0.1)
            await until(lambda: len(call.named("connected")) == 2)
    assert len(asked) == 2


async def test_a_token_function_that_fails_is_asked_again_and_its_error_stays_unsaid(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    outcomes: list[Callable[[], str]] = []
    async with LocalServer(script=SAYS_NOTHING) as server:
        outcomes += [lambda: server.key, lambda: {"token": ""}["no token"], lambda: str(int("the secret"))]

        async def token() -> str:
            return outcomes.pop()()

        async with calling(server, api_key=None, access_token=token) as call:
            await until(lambda: call.named("connected"))
    failures = call.named("connection_error")
    assert len(failures) == 2
    assert all(isinstance(event.error, APIConnectionError) and event.error.retryable for event in failures)
    assert "ValueError" in str(failures[0].error)
    assert "secret" not in f"{failures} {caplog.text}"


async def test_a_token_function_that_never_answers_counts_as_a_timeout() -> None:
    async def token() -> str:
        await asyncio.Event().wait()
        return ""

    async with LocalServer(script=SAYS_NOTHING) as server:
        options = APIConnectOptions(timeout=0.05, max_retry=0)
        async with calling(server, conn_options=options, api_key=None, access_token=token) as call:
            await call.over()
    assert isinstance(call.raised, APITimeoutError)


# Streams.


@pytest.mark.parametrize(
    ("arguments", "language", "label"),
    [({}, None, "en"), ({"language": "french"}, None, "fr"), ({"language": "fr"}, "pt_br", "pt-BR")],
)
async def test_every_transcript_is_labelled_with_the_language_that_is_expected(
    arguments: dict[str, Any], language: Any, label: str
) -> None:
    async with LocalServer(script=DIALOGUE) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key, **arguments)
        stream = owner.stream(language=language) if language else owner.stream()
        call = Call(owner, stream)
        call.push(0.6)
        await until(lambda: call.finals)
        await stream.aclose()
        await call.reader
        assert "language" not in dict(server.connections[0].query)
    assert {data.language for event in call.events for data in event.alternatives} == {label}


async def test_what_the_server_heard_labels_a_turn_before_what_was_expected() -> None:
    arguments: dict[str, Any] = {"model": "ink-preview", "language": "en", "language_hints": ["pt-BR"]}
    async with LocalServer(script=DIALOGUE) as server, calling(server, **arguments) as call:
        call.push(0.6)
        await until(lambda: call.finals)
        final = next(event for event in call.events if event.type is agents_stt.SpeechEventType.FINAL_TRANSCRIPT)
    assert [data.language for data in final.alternatives] == ["pt"]


async def test_a_language_that_changes_labels_what_comes_after_it() -> None:
    async with LocalServer(script=DIALOGUE) as server, calling(server) as call:
        call.push(0.25)
        await until(lambda: "INTERIM so " in call.log)
        call.stt.update_options(language="en_us")
        call.push(0.35)
        await until(lambda: call.finals)
        labels = [data.language for event in call.events for data in event.alternatives]
        assert (labels[0], labels[-1]) == ("en", "en-US")
        assert len(server.connections) == 1


async def test_a_streams_language_that_the_model_is_not_known_to_hear_is_warned_about_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    owner = make()
    for language in ("de", "de", "no language", "no language"):
        await owner.stream(language=language).aclose()
    warned = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [getattr(record, "value", "") for record in warned] == ["de", ""]


@pytest.mark.parametrize("language", ["en", "en-US", "", None, "x" * 50, 5])
async def test_no_language_breaks_a_stream(language: Any) -> None:
    owner = make()
    await owner.stream(language=language).aclose()


async def test_language_hints_go_out_as_base_codes_one_parameter_each() -> None:
    async with (
        LocalServer(script=SAYS_NOTHING) as server,
        calling(server, model="ink-preview", language_hints=["pt-BR", "english", "pt"]) as call,
    ):
        await until(lambda: call.named("connected"))
        assert [value for name, value in server.connections[0].query if name == "language_hint"] == ["pt", "en"]


async def test_closing_the_stt_closes_its_streams() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key)
        async with talking(owner) as one, talking(owner) as two:
            await until(lambda: server.open_streams == 2)
            await owner.aclose()
            await until(lambda: one.is_over and two.is_over and server.open_streams == 0)
        await owner.aclose()


async def test_the_counters_of_all_streams_add_up_those_that_ended_too() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key)
        for count in (1, 2):
            async with talking(owner) as call:
                call.push(0.5)
                await until(lambda count=count: owner.stats.sent_s == 0.5 * count)  # type: ignore[misc]
                assert owner.stats.connections == count
        assert (owner.stats.connections, owner.stats.sent_s, owner.stats.held_s) == (2, 1.0, 0.0)


# Events.


async def test_each_event_of_the_stt_is_a_frozen_dataclass_with_its_data() -> None:
    async with LocalServer(script=DIALOGUE) as server, calling(server) as call:
        call.push(0.6)
        await until(lambda: call.named("turn_end"))
        server.faults = Faults(status=503)
        await server.drop_all(1011)
        call.push(0.6)
        await until(lambda: call.named("connection_error"))
        request_id = server.connections[0].request_id
    assert {name for name, _ in call.public} == set(PUBLIC_EVENTS)
    assert [name for name, _ in call.public][:6] == [
        *("connected", "turn_start", "turn_update", "turn_eager_end", "turn_resume", "turn_end")
    ]
    texts = [event.transcript for name, event in call.public if name in ("turn_update", "turn_eager_end", "turn_end")]
    assert texts == ["so ", "so long", "so long then"]
    assert call.named("turn_resume")[0].transcript == "so long"
    assert call.named("connected")[0].connect_s > 0
    assert (call.named("disconnected")[0].code, call.named("disconnected")[0].request_id) == (1011, request_id)
    assert call.named("connection_error")[0].error.status_code == 503
    assert call.named("connection_error")[0].retry_in_s is not None
    for _, event in call.public:
        assert is_dataclass(event)
        with pytest.raises(FrozenInstanceError):
            setattr(event, fields(event)[0].name, None)


@pytest.mark.parametrize(
    "error",
    [ValueError("mine"), TypeError("mine"), KeyError("mine"), asyncio.TimeoutError(), asyncio.CancelledError()],
    ids=lambda error: type(error).__name__,
)
async def test_a_handler_that_raises_harms_neither_the_stream_nor_the_other_handlers(error: BaseException) -> None:
    def fail(_: object) -> None:
        raise error

    async with LocalServer(script=DIALOGUE) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key)
        for name in (*PUBLIC_EVENTS, "error", "metrics_collected"):
            owner.on(name, fail)  # type: ignore[call-overload]  # a str is not a Literal
        async with talking(owner) as call:
            call.push(0.6)
            await until(lambda: "END" in call.log)
            server.faults = Faults(status=401)
            await server.drop_all(1011)
            call.push(0.6)
            await call.over()
    assert {name for name, _ in call.public} == set(PUBLIC_EVENTS)
    assert len(call.errors) == 1


async def test_a_handler_may_come_go_and_take_no_argument() -> None:
    heard: list[str] = []
    owner = make()
    owner.once("turn_start", lambda _: heard.append("once"))
    handler = owner.on("turn_start", lambda: heard.append("always"))
    for _ in range(2):
        owner.emit("turn_start", None)
    owner.off("turn_start", handler)
    owner.emit("turn_start", None)
    assert sorted(heard) == ["always", "always", "once"]


def test_a_handler_for_an_event_that_never_comes_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    owner = make()
    for name in PUBLIC_EVENTS:
        owner.on(name, print)  # type: ignore[call-overload]  # a str is not a Literal
    owner.on("metrics_collected", print)
    owner.on("error")(print)
    assert caplog.messages == []
    owner.on("turn_ends", print)  # type: ignore[call-overload]  # the mistake that this is about
    owner.once("turn_started", print)  # type: ignore[call-overload]  # and this
    assert "'turn_ends', which this STT never emits; it emits connected, " in caplog.messages[0]
    assert [vars(record)["event"] for record in caplog.records] == ["turn_ends", "turn_started"]


def test_an_async_handler_is_refused() -> None:
    async def handler(_: object) -> None: ...

    with pytest.raises(ValueError, match="async"):
        make().on("turn_start", handler)


# Changes.


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "ink-3"}, ("model", "'ink-2'", "'ink-3'", "new STT")),
        ({"language": "no language"}, ("language", "'no language'")),
        ({"language_hints": 7}, ("language_hints", "int")),
        ({"sample_rate": 8000}, ("sample_rate", "16000", "8000", "new STT")),
        ({"turn_end_threshold": 1.45}, ("turn_end_threshold", "1.45")),
        ({"keyterm": ["x"] * 101}, ("keyterm", "101")),
        ({"turn_start_threshold": 0.7, "turn_end_timeout_ms": -1}, ("turn_end_timeout_ms", "-1")),
    ],
)
async def test_a_change_that_can_not_be_made_changes_nothing(change: dict[str, Any], said: tuple[str, ...]) -> None:
    async with LocalServer(script=SAYS_NOTHING, record=True) as server, calling(server) as call:
        await until(lambda: call.named("connected"))
        with pytest.raises(ValueError, match=r".") as caught:
            call.stt.update_options(**change)
        assert not [part for part in said if part not in str(caught.value)], str(caught.value)
        call.push(0.2)
        await until(lambda: server.connections[0].audio_s > 0.1)
        assert not server.connections[0].commands


async def test_naming_what_is_in_force_already_is_no_change() -> None:
    make().update_options(model="ink-2", language="en", sample_rate=16000)


async def test_turn_settings_change_in_band_ahead_of_the_audio_that_follows() -> None:
    async with LocalServer(script=SAYS_NOTHING, record=True) as server, calling(server) as call:
        await until(lambda: call.named("connected"))
        call.stt.update_options(turn_end_threshold=0.3, turn_end_timeout_ms=900)
        call.push(0.2)
        await until(lambda: server.connections[0].audio_s > 0.1)
        assert server.connections[0].commands == [
            '{"type": "config", "turn": {"end_threshold": 0.3, "end_timeout_ms": 900}}'
        ]
        assert len(server.connections) == 1


async def test_streams_to_come_start_with_the_changed_options() -> None:
    async with LocalServer(script=SAYS_NOTHING) as server:
        owner = cartesia_turns.STT(base_url=server.url, api_key=server.key)
        owner.update_options(turn_end_threshold=0.3, keyterm="Ada Lovelace")
        async with talking(owner) as call:
            await until(lambda: call.named("connected"))
        assert ("turn_end_threshold", "0.3") in server.connections[0].query
        assert ("keyterm", "Ada Lovelace") in server.connections[0].query


async def test_keyterms_come_with_a_new_connection_made_between_turns() -> None:
    script = Script([say(0.1, TurnStart("")), say(0.5, TurnEnd("", "one"))])
    async with LocalServer(script=[script, SAYS_NOTHING]) as server, calling(server) as call:
        call.push(0.2)
        await until(lambda: "START" in call.log)
        call.stt.update_options(keyterm=["Ada Lovelace"])
        call.push(0.2)
        await until(lambda: server.connections[0].audio_s > 0.35)
        assert len(server.connections) == 1
        call.push(0.2)
        await until(lambda: "END" in call.log)
        call.push(0.2)
        await until(lambda: len(server.connections) == 2)
        assert ("keyterm", "Ada Lovelace") in server.connections[1].query
        assert not call.named("connection_error")
        assert call.log == ["START", "FINAL one", "END"]


async def test_an_option_may_change_while_no_connection_can_be_had() -> None:
    async with LocalServer(script=SAYS_NOTHING, faults=[Faults(status=503)]) as server, calling(server) as call:
        await until(lambda: call.named("connection_error"))
        call.stt.update_options(keyterm=["Ada"], turn_end_threshold=0.3)
        await until(lambda: call.named("connected"))
        assert {("keyterm", "Ada"), ("turn_end_threshold", "0.3")} <= set(server.connections[0].query)


def test_it_is_an_stt_of_the_framework() -> None:
    assert isinstance(make(), agents_stt.STT)
    assert make().label

import json
import re
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from livekit.plugins.cartesia_turns.server import Vendor, handshake
from livekit.plugins.cartesia_turns.server.handshake import RefusedError, StreamRequest, read_query, read_request
from livekit.plugins.cartesia_turns.wire.messages import Config, TurnSettings
from livekit.plugins.cartesia_turns.wire.protocol import parse_error_body

GOOD = {"model": "ink-2", "encoding": "pcm_s16le", "sample_rate": "16000"}


def test_a_request_is_read_as_it_was_sent() -> None:
    query = read_query(
        urlencode(GOOD) + "&keyterm=New%20York&keyterm=a+b&turn_end_threshold=0.1&turn_end_timeout_ms=700.0"
    )
    settings = TurnSettings(0.8, 0.6, 0.1, 700)
    assert read_request(query, "r", Vendor()) == StreamRequest("r", "pcm_s16le", 16000, settings, ("New York", "a+b"))


def test_what_is_not_asked_for_has_the_default_of_the_vendor_that_is_played() -> None:
    request = read_request([*GOOD.items()], "r", Vendor.of("2026-05"))
    assert request.turn == TurnSettings(0.8, 0.4, 0.2, 5600)


def test_a_model_that_tells_languages_takes_hints() -> None:
    query = [*{**GOOD, "model": "ink-preview"}.items(), ("language_hint", "hi"), ("language_hint", "en")]
    request = read_request(query, "r", Vendor())
    assert (request.model, request.language_hints, request.tells_languages) == ("ink-preview", ("hi", "en"), True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "ink-whisper"}, "model='ink-whisper' is not served"),
        ({"model": ""}, "model is missing"),
        ({"encoding": "opus"}, "encoding='opus' is not known"),
        ({"encoding": ""}, "encoding is missing"),
        ({"sample_rate": ""}, "sample_rate is missing"),
        ({"sample_rate": "7999"}, "sample_rate=7999"),
        ({"sample_rate": "fast"}, "sample_rate='fast' is not a number"),
        ({"sample_rate": "nan"}, "sample_rate='nan' is not a number"),
        ({"turn_start_threshold": "0.95"}, "turn_start_threshold=0.95"),
        ({"turn_eager_end_threshold": "0.29"}, "turn_eager_end_threshold=0.29"),
        ({"turn_eager_end_threshold": "0.81"}, "turn_eager_end_threshold=0.81"),
        ({"turn_eager_end_threshold": "0.3"}, "must hold"),
        ({"language_hint": "en"}, "language_hint is not supported by the model ink-2"),
        ({"turn_end_timeout_ms": "639"}, "turn_end_timeout_ms=639"),
        ({"turn_end_timeout_ms": "inf"}, "not a number"),
        ({"keyterm": "x" * 1201}, "1201 characters"),
        ({"keyterm": " "}, "empty term"),
    ],
)
def test_a_wrong_parameter_is_named_with_the_reason(change: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        read_request([*{**GOOD, **change}.items()], "r", Vendor())


def test_too_many_keyterms_are_refused() -> None:
    with pytest.raises(ValueError, match="101 terms"):
        read_request([*GOOD.items(), *[("keyterm", "x")] * 101], "r", Vendor())


@pytest.mark.parametrize("model", ["ink-2", "ink-preview"])
def test_a_config_changes_turn_settings_and_leaves_the_rest(model: str) -> None:
    before = stream(model)
    after = handshake.configured(before, Config(TurnSettings(end_threshold=0.1)), Vendor())
    assert after == replace(before, turn=replace(before.turn, end_threshold=0.1))


def test_a_list_of_a_config_replaces_and_an_empty_one_clears() -> None:
    before = replace(stream("ink-preview"), keyterms=("a",), language_hints=("en",))
    after = handshake.configured(before, Config(keyterms=("b", "c"), language_hints=()), Vendor())
    assert (after.keyterms, after.language_hints) == (("b", "c"), ())
    assert handshake.configured(before, Config(), Vendor()) == before


@pytest.mark.parametrize(
    ("model", "config", "said"),
    [
        ("ink-2", Config(TurnSettings(end_threshold=0.6)), "turn_end_threshold=0.6"),
        ("ink-2", Config(TurnSettings(eager_end_threshold=0.3)), "must hold"),
        ("ink-2", Config(keyterms=("x",)), "only be set when a socket is opened"),
        ("ink-2", Config(language_hints=("en",)), "not supported"),
        ("ink-2", Config(language_hints=()), "can't be changed"),
        ("ink-preview", Config(keyterms=("x",) * 101), "101 terms"),
        ("ink-preview", Config(language_hints=("pt-BR",)), "base code"),
    ],
)
def test_a_config_that_the_vendor_does_not_take_says_why(model: str, config: Config, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        handshake.configured(stream(model), config, Vendor())


def test_the_vendor_may_be_one_that_takes_keyterms_of_any_model_on_an_open_socket() -> None:
    after = handshake.configured(stream("ink-2"), Config(keyterms=("x",)), Vendor(live_keyterms=True))
    assert after.keyterms == ("x",)


def stream(model: str) -> StreamRequest:
    return read_request([*{**GOOD, "model": model}.items()], "r", Vendor())


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"X-API-Key": "secret"}, []),
        ({"Authorization": "Bearer secret"}, []),
        ({"Authorization": "bearer secret"}, []),
        ({}, [("access_token", "secret")]),
    ],
)
def test_the_key_comes_by_header_or_bearer_or_query(headers: dict[str, str], query: list[tuple[str, str]]) -> None:
    handshake.check_key(headers, query, "secret", "r")
    with pytest.raises(RefusedError):
        handshake.check_key(headers, query, "another", "r")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": "other"},
        {"Authorization": "Basic secret"},
        {"X-API-Key": "é"},
        {"X-API-Key": "\udcff\udcfe"},
        {"Authorization": "Bearer \udcff"},
    ],
)
def test_any_other_key_is_refused_with_401(headers: dict[str, str]) -> None:
    with pytest.raises(RefusedError) as caught:
        handshake.check_key(headers, [], "secret", "r")
    assert caught.value.error.status_code == 401


@pytest.mark.parametrize(
    ("origins", "host", "asked_host"),
    [
        ([], "127.0.0.1", "127.0.0.1:8765"),
        (["http://localhost:3000"], "127.0.0.1", "127.0.0.1:8765"),
        (["http://page.localhost"], "127.0.0.1", "127.0.0.1:8765"),
        (["https://127.0.0.2"], "127.0.0.1", "127.0.0.1:8765"),
        (["http://[::1]:80"], "::1", "[::1]:8765"),
        (["http://Box.example:3000"], "box.example", "box.example:8765"),
        (["http://192.168.0.7:3000"], "::", "192.168.0.7:8765"),
    ],
)
def test_no_origin_and_origins_of_this_machine_or_host_are_let_in(
    origins: list[str], host: str, asked_host: str
) -> None:
    handshake.check_origin(origins, host, asked_host, "r")


@pytest.mark.parametrize(
    ("origins", "asked_host"),
    [
        (["https://evil.example"], "127.0.0.1:8765"),
        (["https://localhost.evil.example"], "127.0.0.1:8765"),
        (["https://127.0.0.1.evil.example"], "127.0.0.1:8765"),
        # A foreign name may be made to lead to this machine: then both headers hold it.
        (["http://evil.example:8765"], "evil.example:8765"),
        (["http://192.168.0.8"], "192.168.0.7:8765"),
        (["null"], "127.0.0.1:8765"),
        ([""], ""),
        (["http://[broken"], "127.0.0.1:8765"),
        (["http://localhost", "https://evil.example"], "127.0.0.1:8765"),
    ],
)
def test_a_page_of_another_site_is_refused_with_403(origins: list[str], asked_host: str) -> None:
    with pytest.raises(RefusedError) as caught:
        handshake.check_origin(origins, "127.0.0.1", asked_host, "r")
    assert caught.value.error.status_code == 403
    assert caught.value.error.error_code == "origin_not_allowed"


def test_the_body_of_a_refusal_is_what_the_protocol_says() -> None:
    refusal = handshake.too_many_streams(3, "r")
    assert parse_error_body(refusal.body(), 429) == refusal.error
    assert set(json.loads(refusal.body())) == {"message", "title", "status_code", "error_code", "request_id", "doc_url"}
    assert refusal.error.error_code == "concurrency_limited"
    assert refusal.headers == {"Retry-After": "1"}

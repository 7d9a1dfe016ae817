import json
from urllib.parse import urlencode

import pytest
from livekit.plugins.cartesia_turns.messages import TurnSettings
from livekit.plugins.cartesia_turns.protocol import parse_error_body
from livekit.plugins.cartesia_turns.server import handshake
from livekit.plugins.cartesia_turns.server.handshake import RefusedError, StreamRequest, read_query, read_request

GOOD = {"model": "ink-2", "encoding": "pcm_s16le", "sample_rate": "16000"}


def test_a_request_is_read_as_it_was_sent() -> None:
    query = read_query(
        urlencode(GOOD) + "&keyterm=New%20York&keyterm=a+b&turn_end_threshold=0.1&turn_end_timeout_ms=700.0"
    )
    settings = TurnSettings(end_threshold=0.1, end_timeout_ms=700)
    assert read_request(query, "r") == StreamRequest("r", "pcm_s16le", 16000, settings, ("New York", "a+b"))


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
        ({"turn_end_threshold": "0.45"}, "must hold"),
        ({"turn_end_timeout_ms": "639"}, "turn_end_timeout_ms=639"),
        ({"turn_end_timeout_ms": "inf"}, "not a number"),
        ({"keyterm": "x" * 1201}, "1201 characters"),
        ({"keyterm": " "}, "empty term"),
    ],
)
def test_a_wrong_parameter_is_refused_with_400_and_the_reason(change: dict[str, str], said: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_request(list({**GOOD, **change}.items()), "r")
    assert caught.value.error.status_code == 400
    assert said in caught.value.error.message


def test_too_many_keyterms_are_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        read_request([*GOOD.items(), *[("keyterm", "x")] * 101], "r")
    assert "101 terms" in caught.value.error.message


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

from __future__ import annotations

from itertools import combinations

import pytest
from livekit.plugins.cartesia_turns.doctor import thresholds
from livekit.plugins.cartesia_turns.doctor.calls import Server
from livekit.plugins.cartesia_turns.server import Faults
from livekit.plugins.cartesia_turns.wire.vendor import TURN_DEFAULTS
from support.localserver import VENDORS, server
from support.vendor_peer import vendor
from support.verdicts import advised


def test_the_trials_tell_all_known_defaults_apart() -> None:
    for one, other in combinations(TURN_DEFAULTS, 2):
        assert thresholds.expected(one) != thresholds.expected(other)


async def test_a_server_of_today_is_known_by_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server() as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        verdict = await thresholds.check(Server(local.url))
    assert advised(verdict)[0] == "ok"
    assert TURN_DEFAULTS[0].since in verdict.what
    assert "turn_eager_end_threshold=0.6" in verdict.what
    assert not any(connection.audio_s for connection in local.connections)


async def test_a_server_with_earlier_defaults_is_a_warning_that_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(vendor=VENDORS["2026-05"]) as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        level, advice = advised(verdict := await thresholds.check(Server(local.url)))
    assert level == "warning"
    assert "2026-05" in verdict.what
    assert "turn_eager_end_threshold=0.4" in verdict.what
    assert "three thresholds" in advice


async def test_a_server_with_other_defaults_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", "a-key")
    async with vendor(refuse=lambda _: [{"status_code": 400, "message": "No."}, 1008]) as peer:
        assert advised(await thresholds.check(Server(peer.url)))[0] == "warning"


async def test_a_server_that_takes_everything_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", "a-key")
    async with vendor() as peer:
        assert advised(await thresholds.check(Server(peer.url)))[0] == "skipped"


async def test_a_failure_for_another_reason_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(faults=Faults(status=503)) as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        assert advised(await thresholds.check(Server(local.url)))[0] == "skipped"
        assert len(local.handshakes) == 1

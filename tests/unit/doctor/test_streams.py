from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns.doctor import streams
from livekit.plugins.cartesia_turns.doctor.calls import Server
from livekit.plugins.cartesia_turns.server import Faults
from support.localserver import server
from support.verdicts import advised


async def test_as_many_calls_as_are_wanted_fit_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(max_streams=3) as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        verdict = await streams.check(Server(local.url), 3)
        assert (advised(verdict)[0], verdict.figures) == ("ok", {"open_sockets": 3})
        assert len(local.connections) == 3
        assert local.open_streams == 0


async def test_a_plan_that_is_full_says_how_many_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(max_streams=2) as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        verdict = await streams.check(Server(local.url), 10)
        assert advised(verdict)[0] == "problem"
        assert verdict.figures == {"open_sockets": 2}
        assert "plan" in verdict.advice
        assert len(local.handshakes) == 3
        assert local.open_streams == 0


async def test_another_failure_is_no_matter_of_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(faults=[Faults(), Faults(status=503)]) as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        verdict = await streams.check(Server(local.url), 3)
    assert advised(verdict)[0] == "warning"
    assert "503" in verdict.what

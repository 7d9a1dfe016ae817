"""The order of the checks, and what is skipped where an earlier one leaves nothing to check."""

from __future__ import annotations

import numpy as np
import pytest
from livekit.plugins.cartesia_turns.doctor.calls import Server
from livekit.plugins.cartesia_turns.doctor.examine import Plan, examine
from livekit.plugins.cartesia_turns.doctor.recording import Recording
from livekit.plugins.cartesia_turns.doctor.verdict import Verdict
from livekit.plugins.cartesia_turns.server import Faults
from support.localserver import server
from support.peers import tcp_peer
from support.verdicts import called, levels

OF_THE_SERVER = ("handshake", "connected", "round trip", "concurrency", "thresholds", "words", "end of turn", "pace")
CLICK = Recording("click", 16000, np.full((1, 100), 9000, np.int16))
ZEROS = Recording("zeros", 16000, np.zeros((1, 16000), np.int16))


async def all_of(plan: Plan) -> list[Verdict]:
    verdicts = [verdict async for verdict in examine(plan)]
    names = [verdict.name for verdict in verdicts]
    assert len(names) == len(set(names)), "a name stands for one check"
    return verdicts


async def test_all_that_needs_no_audio_is_well_with_the_local_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server() as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        verdicts = await all_of(Plan(Server(local.url), calls=2, speaks=False))
        assert not any(connection.audio_s for connection in local.connections)
    found = levels(verdicts)
    assert {name for name, level in found.items() if level == "skipped"} == {"tls", "words", "end of turn", "pace"}
    assert "problem" not in found.values()
    assert called("concurrency", verdicts).figures == {"open_sockets": 2}


async def test_without_a_key_the_way_is_checked_and_the_server_is_not_asked() -> None:
    async with server() as local:
        found = levels(await all_of(Plan(Server(local.url))))
        assert not local.handshakes
    assert (found["key"], found["tcp"]) == ("problem", "ok")
    assert {found[name] for name in OF_THE_SERVER} == {"skipped"}


async def test_a_token_is_wanted_where_its_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server() as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        found = levels(await all_of(Plan(Server(local.url), token_variable="MY_TOKEN")))
        assert not local.handshakes
    assert found["token"] == "problem"


async def test_a_server_that_is_not_there_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def leave(*_: object) -> None: ...

    async with tcp_peer(leave) as url:
        pass
    monkeypatch.setenv("CARTESIA_API_KEY", "a-key")
    found = levels(await all_of(Plan(Server(url))))
    assert found["tcp"] == "problem"
    assert {found[name] for name in OF_THE_SERVER} == {"skipped"}


async def test_a_server_that_refuses_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(faults=Faults(status=401)) as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        found = levels(await all_of(Plan(Server(local.url), calls=5)))
        assert len(local.handshakes) == 1
    assert found.pop("handshake") == "problem"
    assert {found.get(name, "skipped") for name in OF_THE_SERVER} == {"skipped"}
    assert "concurrency" in found


@pytest.mark.parametrize("recording", [ZEROS, CLICK])
async def test_a_recording_without_a_word_is_not_sent(monkeypatch: pytest.MonkeyPatch, recording: Recording) -> None:
    async with server() as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        found = levels(await all_of(Plan(Server(local.url), recording=recording)))
        assert not any(connection.audio_s for connection in local.connections)
    assert (found["words"], found["end of turn"], found["pace"]) == ("skipped", "skipped", "skipped")


async def test_a_session_is_looked_at_without_a_server() -> None:
    async with tcp_peer(lambda *_: _nothing()) as url:
        found = levels(await all_of(Plan(Server(url), session=lambda: None)))
    assert found["session"] == "problem"


async def _nothing() -> None: ...

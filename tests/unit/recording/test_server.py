from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.recording import Recorder, Recording, load, replay_command
from livekit.plugins.cartesia_turns.recording import server as module
from livekit.plugins.cartesia_turns.recording import writer as writing
from livekit.plugins.cartesia_turns.recording.schema import SchemaError
from livekit.plugins.cartesia_turns.recording.server import RecordedServer
from livekit.plugins.cartesia_turns.server import FaultPlan, Faults, LocalServer, Script
from livekit.plugins.cartesia_turns.server.script import say
from livekit.plugins.cartesia_turns.wire.messages import TurnEagerEnd, TurnEnd, TurnResume, TurnStart, TurnUpdate
from support.calls import Call, calling, talking
from support.waiting import until

FIRST = [
    say(0.2, TurnStart("")),
    say(0.4, TurnUpdate("", "my number")),
    say(0.5, TurnEagerEnd("", "my number")),
    say(0.6, TurnResume("")),
]
REST = [
    say(0.8, TurnUpdate("", "my number is")),
    say(0.9, TurnEagerEnd("", "my number is five")),
    say(1.0, TurnEnd("", "my number is five")),
]
WHOLE = Script([*FIRST, *REST])
"""A turn of one socket."""
AGAIN = Script([say(0.1, TurnStart("")), say(0.2, TurnUpdate("", "my number")), *REST])
"""The same turn for a socket that gets its audio again."""
FRAME_S = 0.02


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "EVERY_S", 0.02)


async def speak(call: Call, seconds: float, *, until_said: int = 1) -> None:
    """Speech for so long, and on until so many finals are there."""
    began, pushed_s = asyncio.get_running_loop().time(), 0.0
    while pushed_s < seconds or len(call.finals) < until_said:
        call.speak(FRAME_S)
        pushed_s += FRAME_S
        await asyncio.sleep(began + pushed_s - asyncio.get_running_loop().time())
        assert pushed_s < 10, call.log


async def recorded(
    folder: Path,
    scripts: list[Script],
    faults: FaultPlan = (),
    *,
    options: dict[str, Any] | None = None,
    conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    **how: Any,
) -> tuple[Recording, Call]:
    """A call that was recorded."""
    async with LocalServer(script=scripts, faults=faults) as server:
        recorder = Recorder(folder / "calls", **how)
        async with calling(server, conn_options=conn_options, recorder=recorder, **(options or {})) as call:
            await speak(call, 1.2)
            await asyncio.sleep(0.05)
    (written,) = (folder / "calls").iterdir()
    done = "audio.flac" if how.get("audio", True) else "call.jsonl"
    await until(lambda: (written / done).exists() and '"end"' in (written / "call.jsonl").read_text())
    return load(written), call


_PLAIN: list[tuple[Recording, Call]] = []


@pytest.fixture
async def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recording, Call]:
    """A call of one turn, recorded once for all tests."""
    if not _PLAIN:
        _PLAIN.append(await recorded(tmp_path_factory.mktemp("plain"), [WHOLE]))
    return _PLAIN[0]


async def played(
    server: RecordedServer, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS, **arguments: Any
) -> Call:
    """The call of an agent that says the same to the server of the recording."""
    owner = cartesia_turns.STT(**{**server.arguments, **arguments})
    async with talking(owner, conn_options=conn_options) as call:
        await server.speak(call.stream.push_frame)
        await until(lambda: call.finals, within_s=5)
        await asyncio.sleep(0.05)
    return call


def texts(call: Call) -> list[tuple[str, str]]:
    """The speech events with their request ids."""
    return [(entry, event.request_id) for entry, event in zip(call.log, _speech(call), strict=True)]


def _speech(call: Call) -> list[Any]:
    return [event for event in call.events if event.recognition_usage is None]


async def test_a_recorded_call_gives_the_same_speech_events_once_more(plain: tuple[Recording, Call]) -> None:
    recording, before = plain
    steps: list[str] = []
    async with RecordedServer(recording.folder, tell=steps.append) as server:
        call = await played(server)
        await server.over(5)
    assert texts(call) == texts(before)
    assert call.finals == ["my number is five"]
    assert steps == ["connection 1 of 1 is connected", "the call is over; the next client begins it again"]


@pytest.mark.parametrize(
    "fault",
    [Faults(drop_at_s=0.7), Faults(drop_at_s=0.7, drop_code=1012), Faults(drop_at_s=0.7, drop_code=1000)],
    ids=["reset", "1012", "1000"],
)
async def test_a_socket_that_was_lost_in_a_turn_is_lost_again(fault: Faults, tmp_path: Path) -> None:
    recording, before = await recorded(tmp_path, [Script(FIRST), AGAIN], [fault])
    async with RecordedServer(recording) as server:
        call = await played(server)
    assert call.log == before.log
    assert call.finals == ["my number is five"]
    codes = [[event.code for event in heard.named("disconnected")][:1] for heard in (before, call)]
    assert codes[0] == codes[1]
    assert call.stream.stats.drops == before.stream.stats.drops == 1


async def test_refusals_are_played_too(tmp_path: Path) -> None:
    plan = [Faults(status=503), Faults(refuse=True)]
    recording, before = await recorded(tmp_path, [WHOLE], plan)
    async with RecordedServer(recording) as server:
        call = await played(server)
        statuses = [handshake.status for handshake in server.handshakes]
    assert statuses == [503, 0, 101]
    assert call.log == before.log


async def test_an_error_in_place_of_connected_is_played_too(tmp_path: Path) -> None:
    no = '{"type": "error", "message": "busy", "status_code": 503}'
    plan = [Faults(no_connected=True, garbage_at_s=0.0, garbage=[no], drop_at_s=0.0, drop_code=1008)]
    recording, before = await recorded(tmp_path, [WHOLE, WHOLE], plan)
    async with RecordedServer(recording) as server:
        call = await played(server)
    assert call.log == before.log
    assert [type(event.error) for event in call.named("connection_error")] == [
        type(event.error) for event in before.named("connection_error")
    ]


async def test_a_server_that_never_said_connected_is_silent_again(tmp_path: Path) -> None:
    patience = APIConnectOptions(timeout=0.3)
    recording, before = await recorded(
        tmp_path, [Script([]), WHOLE], [Faults(no_connected=True)], conn_options=patience
    )
    async with RecordedServer(recording) as server:
        call = await played(server, conn_options=patience)
        assert len(server.connections) == before.stream.stats.connections == 2
    assert call.finals == before.finals


async def test_an_agent_with_options_of_its_own_is_served(tmp_path: Path) -> None:
    recording, before = await recorded(tmp_path, [WHOLE], options={"turn_end_timeout_ms": 1000, "keyterm": ["Quetzal"]})
    async with RecordedServer(recording) as server:
        assert server.arguments["turn_end_timeout_ms"] == 1000
        assert server.arguments["keyterm"] == ["Quetzal"]
        call = await played(server, model="ink-99", turn_end_timeout_ms=50, sample_rate=24000)
    assert call.log == before.log


async def test_an_agent_that_hangs_up_early_leaves_the_call_to_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AWAY_S", 0.2)
    recording, before = await recorded(tmp_path, [Script(FIRST), AGAIN], [Faults(drop_at_s=0.7)])
    steps: list[str] = []
    async with RecordedServer(recording, tell=steps.append) as server:
        async with talking(cartesia_turns.STT(**server.arguments)) as early:
            early.speak(0.3)
            await until(lambda: early.log)
        await until(lambda: len(steps) == 2)
        await asyncio.sleep(0.25)
        assert not server.is_over
        call = await played(server)
        await server.over(5)
        await asyncio.sleep(0.25)
        third = await played(server)
    assert re.fullmatch(r"the client hung up after 0\.3 s of audio, which it did not in the recording", steps[1])
    assert call.log == third.log == before.log


async def test_an_agent_that_ends_its_input_early_gets_the_rest_of_its_turn_alone(tmp_path: Path) -> None:
    two = Script([*FIRST, *REST, say(1.1, TurnStart("")), say(1.15, TurnEnd("", "another"))])
    recording, _ = await recorded(tmp_path, [two])
    async with (
        RecordedServer(recording) as server,
        talking(cartesia_turns.STT(**server.arguments)) as call,
    ):
        call.speak(0.3)
        call.stream.end_input()
        await call.over()
    assert call.finals == ["my number is five"]


async def test_only_the_key_is_let_in_and_a_wrong_one_uses_up_nothing(plain: tuple[Recording, Call]) -> None:
    recording, before = plain
    async with RecordedServer(recording, key="mine") as server:
        async with aiohttp.ClientSession() as http:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await http.ws_connect(f"{server.url}/stt/turns/websocket?model=a&encoding=pcm_s16le&sample_rate=16000")
        assert (await played(server)).log == before.log


# Odd recordings.


async def test_a_call_without_audio_or_words_is_played_all_the_same(tmp_path: Path) -> None:
    recording, before = await recorded(tmp_path, [WHOLE], audio=False, transcripts=False)
    async with RecordedServer(recording) as server:
        with pytest.raises(SchemaError, match="has no audio"):
            await server.speak(lambda frame: frame)
        async with talking(cartesia_turns.STT(**server.arguments)) as call:
            await speak(call, 1.2)
    assert call.finals == ["xx xxxxxx xx xxxx"]
    assert [entry.split()[0] for entry in call.log] == [entry.split()[0] for entry in before.log]


async def test_a_call_that_was_cut_off_is_played_as_far_as_it_goes(
    plain: tuple[Recording, Call], tmp_path: Path
) -> None:
    text = (plain[0].folder / "call.jsonl").read_text()
    (tmp_path / "call.jsonl").write_text(text[: text.index('"turn.eager_end"')])
    async with (
        RecordedServer(tmp_path) as server,
        talking(cartesia_turns.STT(**server.arguments)) as call,
    ):
        call.speak(0.6)
        await server.over(5)
        await until(lambda: call.log == ["START", "INTERIM my number"])


async def test_a_call_that_never_got_a_socket_is_refused_again(tmp_path: Path) -> None:
    stt = cartesia_turns.STT(
        api_key="k", base_url="http://127.0.0.1:9", recorder=Recorder(tmp_path / "calls"), outage_timeout=0
    )
    options = APIConnectOptions(max_retry=0, timeout=1.0)
    async with talking(stt, conn_options=options) as before:
        await before.over()
    # The thread that writes makes the folder.
    files = (tmp_path / "calls").glob
    await until(lambda: any('"end"' in file.read_text() for file in files("*/call.jsonl")))
    (written,) = files("*")
    async with RecordedServer(written) as server:
        again = cartesia_turns.STT(**server.arguments, outage_timeout=0)
        async with talking(again, conn_options=options) as call:
            await call.over()
        await server.over(5)
    assert type(call.raised) is type(before.raised)


async def test_the_command_says_where_it_listens_with_which_arguments_and_when_the_call_is_over(
    plain: tuple[Recording, Call],
) -> None:
    command = ["-m", "livekit.plugins.cartesia_turns", "replay", str(plain[0].folder), "--server", "--port", "0"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, "--key", "mine", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        first, second, _ = [(await process.stdout.readline()).decode() for _ in range(3)]
        url = first.rpartition("base_url=")[2].partition(",")[0]
        assert f"cartesia_turns.STT(base_url='{url}', api_key='mine', model='ink-2', sample_rate=16000)" in second
        async with talking(cartesia_turns.STT(base_url=url, api_key="mine")) as call:
            await speak(call, 1.2)
        said = [(await process.stdout.readline()).decode() for _ in range(2)]
    finally:
        process.send_signal(signal.SIGINT)
        code = await process.wait()
    assert call.log == plain[1].log
    assert said[-1] == "the call is over; the next client begins it again\n"
    assert code == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the first line has no `schema`"),
        ("not JSON\n", "the first line has no `schema`"),
        ('{"at": 1.0, "schema": 99}\n', "has schema 99: this version reads 1"),
    ],
)
def test_what_can_not_be_played_is_told_in_a_sentence(
    content: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "call.jsonl").write_text(content)
    assert replay_command.main([str(tmp_path), "--server", "--port", "0"]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay_command.main([str(tmp_path / "none"), "--server"]) == 2
    assert capsys.readouterr().err.startswith("error: ")

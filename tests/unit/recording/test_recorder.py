from __future__ import annotations

import asyncio
import os
import sys
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import APIConnectOptions
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.recording import Recorder, Recording, load, replay
from livekit.plugins.cartesia_turns.recording import recorder as module
from livekit.plugins.cartesia_turns.recording import writer as writing
from livekit.plugins.cartesia_turns.server import LocalServer, Script
from livekit.plugins.cartesia_turns.server.script import say
from livekit.plugins.cartesia_turns.wire.messages import TurnEagerEnd, TurnEnd, TurnStart, TurnUpdate
from support.calls import calling, silent_frame
from support.waiting import until

SCRIPT = Script(
    [
        say(0.1, TurnStart("")),
        say(0.2, TurnUpdate("", "my number")),
        say(0.3, TurnEagerEnd("", "my number")),
        say(0.4, TurnEnd("", "my number")),
    ]
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "EVERY_S", 0.02)


async def spoken(recorder: Recorder | None, **arguments: Any) -> None:
    """A call of one turn."""
    if recorder is not None:
        arguments["recorder"] = recorder
    async with LocalServer(script=SCRIPT) as server, calling(server, **arguments) as call:
        for _ in range(30):
            call.stream.push_frame(silent_frame(0.02))
        await until(lambda: call.finals == ["my number"])


def calls_in(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def only_call(folder: Path, *, with_audio: bool = True) -> Recording:
    await until(lambda: list(folder.glob("*/call.jsonl")))
    (call,) = calls_in(folder)
    await until(lambda: '"end"' in (call / "call.jsonl").read_text())
    await until(lambda: not with_audio or (call / "audio.flac").exists())
    return load(call)


async def test_a_call_is_recorded_whole(tmp_path: Path) -> None:
    await spoken(Recorder(tmp_path / "calls"), keyterm="Quetzal")
    recording = await only_call(tmp_path / "calls")
    header, lines = recording.header, recording.lines
    assert header["versions"]["livekit-plugins-cartesia-turns"] == cartesia_turns.__version__
    assert abs(header["started"] - time.time()) < 60
    assert recording.audio == bytes(30 * 640)
    received = [line["message"]["type"] for line in lines if line.get("call") == "receive"]
    assert received[:2] == ["connected", "turn.start"]
    told = [line["told"] for line in lines if "told" in line]
    assert told[:1] + [kind for kind in told if kind == "final_transcript"] == ["start_of_speech", "final_transcript"]
    assert next(line["announced"] for line in lines if "announced" in line) == "connected"
    assert recording.is_complete
    assert lines[-1]["stats"]["turns"] == 1
    outcome = replay(recording)
    assert outcome.is_same, str(outcome)


async def test_no_key_no_header_and_no_address_is_recorded(tmp_path: Path) -> None:
    await spoken(Recorder(tmp_path / "calls"), extra_headers={"X-Tenant": "tenant-secret"})
    recording = await only_call(tmp_path / "calls")
    text = (recording.folder / "call.jsonl").read_text()
    assert not [secret for secret in ("tenant-secret", "local-", "127.0.0.1", "Bearer", "X-API-Key") if secret in text]


async def test_the_words_and_the_audio_can_be_left_out(tmp_path: Path) -> None:
    await spoken(Recorder(tmp_path / "calls", audio=False, transcripts=False), keyterm="Quetzal")
    recording = await only_call(tmp_path / "calls", with_audio=False)
    text = (recording.folder / "call.jsonl").read_text()
    assert "number" not in text
    assert "Quetzal" not in text
    assert "xx xxxxxx" in text
    assert [path.name for path in recording.folder.iterdir()] == ["call.jsonl"]


async def test_the_environment_has_calls_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTESIA_TURNS_RECORD", str(tmp_path / "calls"))
    await spoken(None)
    assert (await only_call(tmp_path / "calls")).is_complete


async def test_by_default_nothing_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTESIA_TURNS_RECORD", "")
    monkeypatch.chdir(tmp_path)
    await spoken(None)
    assert calls_in(tmp_path) == []


async def test_a_folder_that_can_not_be_made_harms_no_call(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    await spoken(Recorder(tmp_path / "file"))
    await until(lambda: any("a recording was stopped" in record.getMessage() for record in caplog.records))


async def test_a_call_that_never_connects_is_recorded_with_the_reasons(tmp_path: Path) -> None:
    stt = cartesia_turns.STT(
        api_key="k", base_url="http://127.0.0.1:9", recorder=Recorder(tmp_path / "calls"), outage_timeout=0
    )
    stream = stt.stream(conn_options=APIConnectOptions(max_retry=0, timeout=1.0))
    with pytest.raises(Exception, match="no server listens"):
        await stream.__anext__()
    await stream.aclose()
    recording = await only_call(tmp_path / "calls", with_audio=False)
    failed = [line for line in recording.lines if line.get("announced") == "connection_error"]
    assert failed[0]["cause"] == "refused"
    assert "127.0.0.1" not in str(recording.lines)


@pytest.mark.parametrize(
    "arguments",
    [{"folder": ""}, {"audio": "yes"}, {"transcripts": 1}, {"max_size_mb": 0}, {"max_age_days": float("nan")}],
)
def test_an_argument_that_can_not_be_right_is_refused(arguments: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        Recorder(**{"folder": tmp_path, **arguments})


def test_a_size_beyond_that_of_any_disk_is_no_error(tmp_path: Path) -> None:
    Recorder(tmp_path, max_size_mb=1e308)


async def test_calls_that_are_too_old_are_deleted_when_one_begins(tmp_path: Path) -> None:
    old = tmp_path / "2026-01-01T00-00-00-00000000"
    old.mkdir()
    (old / "call.jsonl").write_text("")
    os.utime(old / "call.jsonl", (time.time() - 86_400, time.time() - 86_400))
    await spoken(Recorder(tmp_path, max_age_days=0.5))
    await until(lambda: not old.exists())
    await only_call(tmp_path)
    assert not old.exists()


async def test_a_folder_is_the_same_wherever_the_process_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    here, at_home = Recorder("calls"), Recorder("~/at-home")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    await spoken(here)
    await spoken(at_home)
    await only_call(tmp_path / "calls")
    await only_call(tmp_path / "at-home")


async def test_a_process_that_may_start_no_thread_goes_on_with_its_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writing, "_started", lambda _: False)
    await spoken(Recorder(tmp_path / "calls"))
    (record,) = [record for record in caplog.records if "a recording was stopped" in record.getMessage()]
    assert record.__dict__["reason"] == "no thread can be started"
    assert not (tmp_path / "calls").exists()


async def test_a_program_that_does_not_know_its_packages_records_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(module, "version", unknown)
    await spoken(Recorder(tmp_path / "calls"))
    recording = await only_call(tmp_path / "calls")
    assert recording.header["versions"]["livekit-agents"] == "unknown"


def test_what_is_no_recorder_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match=r"recorder=.*is not a Recorder"):
        cartesia_turns.STT(api_key="k", recorder={"a": "secret"})  # type: ignore[arg-type]  # the point of the test


CHILD = """
import asyncio, resource, sys
from livekit.plugins.cartesia_turns import STT
from livekit.plugins.cartesia_turns.recording import Recorder, writer
from livekit.plugins.cartesia_turns.server import LocalServer, Script
from support.calls import silent_frame

writer.EVERY_S = 2.0

async def main():
    limit, seconds = int(sys.argv[2]), float(sys.argv[3])
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    async with LocalServer(script=Script.load(sys.argv[4])) as server:
        stream = STT(base_url=server.url, api_key=server.key, recorder=Recorder(sys.argv[1])).stream()
        for _ in range(round(seconds / 0.02)):
            stream.push_frame(silent_frame(0.02))
            await asyncio.sleep(0.02)
        heard = []
        stream.end_input()
        async for event in stream:
            heard += [event.alternatives[0].text] if event.type == "final_transcript" else []
        print(heard, flush=True)

asyncio.run(main())
"""


async def child(folder: Path, *, limit: int = 0, seconds: float) -> asyncio.subprocess.Process:
    """A process of its own with a call of so many seconds, whose files may have so many bytes."""
    SCRIPT.save(folder / "script.jsonl")
    arguments = [str(folder / "calls"), str(limit), str(seconds), str(folder / "script.jsonl")]
    return await asyncio.create_subprocess_exec(
        *[sys.executable, "-c", CHILD, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.slow
async def test_what_a_process_wrote_before_it_was_killed_replays_the_same(tmp_path: Path) -> None:
    process = await child(tmp_path, seconds=60)
    try:
        await until(lambda: [*tmp_path.glob("calls/*/call.jsonl")], within_s=30)
        (call,) = (tmp_path / "calls").iterdir()
        await until(lambda: '"final_transcript"' in (call / "call.jsonl").read_text(), within_s=10)
    finally:
        process.kill()
        await process.wait()
    recording = load(call)
    assert not recording.is_complete
    outcome = replay(recording)
    assert outcome.is_same, str(outcome)
    assert outcome.audio_s > 0.4


@pytest.mark.slow
async def test_a_disk_that_takes_no_more_ends_the_recording_and_not_the_call(tmp_path: Path) -> None:
    process = await child(tmp_path, limit=100_000, seconds=5)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert out.decode().strip() == "['my number']"
    assert err.decode().count("a recording was stopped, the call goes on without it") == 1
    assert process.returncode == 0
    (call,) = (tmp_path / "calls").iterdir()
    assert not load(call).is_complete

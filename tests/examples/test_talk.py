"""`make room` as a process, with stand-ins for livekit-server and the worker."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import espeak
import psutil
import pytest
import talk
from roomkit.errors import RoomError
from roomkit.livekit_server import free_port
from support.waiting import until

EXAMPLES = Path(__file__).parents[2] / "examples"
SERVER = f"""#!{sys.executable}
import http.server, json, os, signal, socketserver

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

def first(*_):
    signal.signal(signal.SIGTERM, second)
    print("waits for its participants", flush=True)

def second(*_):
    print("ends", flush=True)
    os._exit(0)

signal.signal(signal.SIGTERM, first)
port = json.loads(os.environ["LIVEKIT_CONFIG"])["port"]
socketserver.TCPServer(("127.0.0.1", port), Answer).serve_forever()
"""
AGENT = """
import time
print("registered worker", flush=True)
time.sleep(600)
"""
TALK = """
import functools, pathlib, signal, sys, talk
folder, hangup = pathlib.Path(sys.argv.pop(1)), sys.argv.pop(1)
signal.signal(signal.SIGHUP, getattr(signal, hangup))
talk.prepare = lambda: (folder / "livekit-server", folder)
talk.Worker = functools.partial(talk.Worker, script=folder / "agent.py")
sys.exit(talk.main())
"""


class Room:
    """`examples/talk.py` in a folder of its own, on a machine without espeak-ng."""

    def __init__(self, folder: Path, *, hangup: str = "SIG_DFL") -> None:
        self.address = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "livekit.log"
        (folder / "assets").mkdir()
        (folder / "index.html").write_text("the page")
        (folder / "agent.py").write_text(AGENT)
        (folder / "livekit-server").write_text(SERVER)
        (folder / "livekit-server").chmod(0o755)
        port = self.address.rsplit(":", 1)[1]
        self.process = subprocess.Popen(
            [sys.executable, "-c", TALK, str(folder), hangup, "--port", port, "--log", str(folder / "agent.log")],
            env={"PYTHONPATH": str(EXAMPLES), "PATH": str(folder), "CARTESIA_API_KEY": "k", "CARTESIA_TURNS_URL": "u"},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.said = [self.process.stdout.readline() for _ in range(2)]
        self.children = psutil.Process(self.process.pid).children(recursive=True)

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self.children, self.process):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.communicate()

    def is_told_to_end(self) -> bool:
        return "waits" in self.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=["Ctrl-C", "hangup"])
async def test_it_ends_all_it_started_however_often_it_is_told(tmp_path: Path, number: signal.Signals) -> None:
    with Room(tmp_path) as room:
        assert len(room.children) == 2
        room.process.send_signal(number)
        await until(room.is_told_to_end)
        room.process.send_signal(number)
        assert room.process.wait(30) == 0
        assert not [child for child in room.children if child.is_running()]
        assert "ends" in room.log.read_text(), "it was not given the time to end by itself"


async def test_under_nohup_it_outlives_its_terminal(tmp_path: Path) -> None:
    with Room(tmp_path, hangup="SIG_IGN") as room:
        room.process.send_signal(signal.SIGHUP)
        async with aiohttp.ClientSession() as http, http.get(room.address) as page:
            assert await page.text() == "the page"
        assert not room.is_told_to_end()


def test_it_says_how_to_give_the_agent_a_voice(tmp_path: Path) -> None:
    with Room(tmp_path) as room:
        assert room.address in room.said[0]
        assert espeak.INSTALL in room.said[1]


@pytest.mark.parametrize(("url", "installed", "silent"), [("", False, False), ("u", True, False), ("u", False, True)])
def test_an_agent_is_silent_without_espeak_where_cartesia_does_not_speak(
    monkeypatch: pytest.MonkeyPatch, url: str, installed: bool, silent: bool
) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", "k")
    monkeypatch.setenv("CARTESIA_TURNS_URL", url)
    monkeypatch.setattr(espeak, "is_installed", lambda: installed)
    assert talk.is_silent() == silent


@pytest.mark.parametrize("port", ["70000", "-1"])
def test_a_port_that_no_computer_has_is_refused(
    port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["talk.py", f"--port={port}"])
    with pytest.raises(SystemExit) as refused:
        talk.main()
    assert refused.value.code == 2
    assert f"--port {port} is out of range" in capsys.readouterr().err


async def test_a_port_that_is_taken_is_told_before_anything_is_built_or_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_late() -> tuple[Path, Path]:
        raise AssertionError("the port comes first")

    monkeypatch.setattr(talk, "prepare", too_late)
    with socket.create_server(("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(RoomError, match=rf"port {port} cannot be used \(Address already in use\)") as refused:
            await talk.serve(port, tmp_path / "agent.log")
    assert re.search(r'with --port, as in `make room ARGS="--port \d+"`$', str(refused.value))

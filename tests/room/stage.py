"""What the room tests run on: the recipe of `make room` as a process, and a recognizer that can be killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from ctypes.util import find_library
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import espeak
from roomkit.livekit_server import find_livekit_server, free_port
from roomkit.page import BRING_NODE, find_npm
from roomkit.processes import kill_group
from support import recognizer
from support.relay import Relay
from support.speech import AUDIO, SPOKEN
from support.wer import word_error_rate

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / ".artifacts"
REFERENCES = dict(zip([clip.stem for clip in sorted(AUDIO.glob("*.wav"))], SPOKEN, strict=True))
"""What is read out in each recording, by its name."""
KEY = "room-test-key"
START_TIMEOUT_S = 120.0
PREPARE = "make room ARGS=--prepare"
CHROMIUM_NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
INSTALL_CHROMIUM = "`apt-get install chromium`, or `brew install --cask google-chrome` on macOS"
RELAY_ADDRESS = f"sudo ifconfig lo0 alias {Relay.ADDRESS}"
"""For macOS: Linux has the address."""


@dataclass(frozen=True)
class Part:
    """Something a machine may lack, and the command that adds it."""

    name: str
    there: bool
    command: str


def chromium() -> str | None:
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


@cache
def npm_is_there() -> bool:
    return find_npm() is not None


def parts_for(test: str) -> list[Part]:
    """The parts that a room test of this name needs, and that a machine may lack."""
    hears = Part("local recognizer", recognizer.is_there(), "make clean install, where its packages have wheels")
    if "console" in test:
        there = sys.platform != "linux" or find_library("portaudio") is not None  # elsewhere it comes with its package
        return [hears, Part("PortAudio", there, "apt-get install libportaudio2")]
    needed = [
        hears,
        Part("livekit-server", find_livekit_server() is not None, PREPARE),
        Part("Node.js with npm", npm_is_there(), BRING_NODE),
        Part("espeak-ng", shutil.which("espeak-ng") is not None, espeak.INSTALL),
    ]
    if "browser" in test:
        needed.append(Part("Chromium", chromium() is not None, INSTALL_CHROMIUM))
    if "blackout" in test or "jitter" in test:
        needed.append(Part(f"address {Relay.ADDRESS}", can_listen_at(Relay.ADDRESS), RELAY_ADDRESS))
    return needed


class SpeechServer:
    """`python -m livekit.plugins.cartesia_turns.server` on one port, through kills and restarts.

    Args:
        arguments: more of them for its command line.
    """

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "livekit.plugins.cartesia_turns.server"]
        with (ARTIFACTS / "room-speech-server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port), "--key", KEY, *self._arguments],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            kill_group(self._process.pid)
            self._process.wait()
            self._process = None

    def wait_until_up(self) -> None:
        wait_for_port(self.port)


class Talk:
    """`examples/talk.py` as a user runs it, with the speech-to-text server given."""

    def __init__(self, speech: SpeechServer) -> None:
        self.address = f"http://127.0.0.1:{free_port()}"
        port = self.address.rsplit(":", 1)[1]
        environment = {**os.environ, "CARTESIA_TURNS_URL": speech.url, "CARTESIA_API_KEY": KEY}
        environment.pop("OPENAI_API_KEY", None)
        self.log = ARTIFACTS / "room-talk.log"
        self.agent_log = ARTIFACTS / "room-agent.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "examples/talk.py", "--port", port, "--log", str(self.agent_log)],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + 600  # livekit-server may have to be built
        while "Open http" not in self.log.read_text():
            assert self._process.poll() is None, f"examples/talk.py ended: {self.log.read_text()}"
            assert time.monotonic() < deadline, "examples/talk.py did not come up"
            time.sleep(0.1)

    def stop(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        self._process.send_signal(2)
        try:
            return self._process.wait(30)
        except subprocess.TimeoutExpired:
            kill_group(self._process.pid)
            return self._process.wait()


def error_rate(recording: Path, heard: str) -> float:
    """How wrong a transcript of one recording is, a fraction of its words."""
    return word_error_rate([REFERENCES[recording.stem]], [heard or "-"])


def wait_for_port(port: int) -> None:
    """Wait until something listens there."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_listening(port):
        assert time.monotonic() < deadline, "the recognizer did not come up"
        time.sleep(0.1)


def can_listen_at(address: str) -> bool:
    """Whether this machine has the address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.bind((address, 0))
        return True
    return False


def is_listening(port: int) -> bool:
    """Whether a connection is accepted there."""
    with socket.socket() as probe:  # a new one each time: macOS connects none that was refused before
        return probe.connect_ex(("127.0.0.1", port)) == 0

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from transcription.audio import UserError
from transcription.microphone import Microphone

BLOCK = b"\x01\x02" * 320


class Stream:
    """An input stream of sounddevice's that hears three blocks at once."""

    def __init__(self, *_: object, callback: Callable[..., None], **__: object) -> None:
        self._callback = callback

    def __enter__(self) -> None:
        for _ in range(3):
            self._callback(memoryview(BLOCK), 320, None, None)

    def __exit__(self, *_: object) -> None:
        pass


class PortAudioError(Exception):
    pass


def install(monkeypatch: pytest.MonkeyPatch, query_devices: Callable[..., Any]) -> None:
    module = ModuleType("sounddevice")
    vars(module).update(RawInputStream=Stream, PortAudioError=PortAudioError, query_devices=query_devices)
    monkeypatch.setitem(sys.modules, "sounddevice", module)


async def test_a_microphone_gives_frames_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lambda kind: {"name": f"the {kind} of the desk"})
    microphone = Microphone()
    heard = []
    async for frame in microphone.frames():
        heard.append(bytes(frame.data))
        if len(heard) == 3:
            microphone.stop()
    assert microphone.name == "the input of the desk"
    assert heard == [BLOCK] * 3
    assert microphone.samples.tobytes() == BLOCK * 3
    assert microphone.played_s == pytest.approx(0.06)
    assert microphone.duration_s is None


@pytest.mark.parametrize("failure", [ValueError("no input device"), PortAudioError("error querying device -1")])
def test_no_microphone_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    def query_devices(kind: str) -> None:
        raise failure

    install(monkeypatch, query_devices)
    with pytest.raises(UserError, match=r"^no microphone was found$"):
        Microphone()

"""A real livekit-server takes the settings of `examples/production`."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
import yaml
from roomkit.livekit_server import answers, ensure_livekit_server, free_port, loopback_config
from roomkit.processes import end_process

pytestmark = pytest.mark.room
SETTINGS = Path(__file__).parents[2] / "examples/production/livekit.yaml"


async def starts_with(settings: dict[str, object]) -> bool:
    """Whether it starts with these settings, but on loopback alone: what it does not know, it refuses."""
    port = free_port()
    here = loopback_config(port)
    merged = {**settings, **here}
    merged["rtc"] = {**dict(settings["rtc"]), **dict(here["rtc"])}  # type: ignore[call-overload]  # mappings, from YAML
    environment = {**os.environ, "LIVEKIT_CONFIG": json.dumps(merged), "LIVEKIT_KEYS": f"key: {'s' * 32}"}
    process = await asyncio.create_subprocess_exec(
        str(ensure_livekit_server()),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        return await answers(process, f"http://127.0.0.1:{port}/")
    finally:
        await end_process(process)


async def test_a_livekit_server_starts_with_the_settings_of_production() -> None:
    assert await starts_with(yaml.safe_load(SETTINGS.read_text()))


async def test_a_livekit_server_would_refuse_a_setting_that_it_does_not_have() -> None:
    assert not await starts_with({**yaml.safe_load(SETTINGS.read_text()), "no_such_setting": 1})

"""What the README tells about commands and options is so."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.settings import CHUNKS_MS
from livekit.plugins.cartesia_turns.wire.options import SAMPLE_RATES
from livekit.plugins.cartesia_turns.wire.vendor import (
    API_VERSION,
    IDLE_CLOSE_S,
    KEYTERMS,
    LANGUAGE_HINTS,
    MODEL,
    PLAN_STREAMS,
    READ,
    TURN_DEFAULTS,
    TURN_RANGES,
)
from tools.diagram import turn_diagram
from tools.tables import models_table, plans, presets_table, turn_settings_table

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
STT = ROOT / "livekit-plugins-cartesia-turns/livekit/plugins/cartesia_turns/stt.py"


def options_table() -> dict[str, str]:
    """Each argument in the README's table of options, with the rest of its row."""
    section = README.split("## Options")[1].split("**What is checked.**")[0]
    return dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", section, re.MULTILINE))


def constructor_arguments(source: str) -> set[str]:
    stt = next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == "STT")
    init = next(node for node in stt.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    return {argument.arg for argument in init.args.kwonlyargs}


def test_the_table_of_options_has_each_argument_of_the_constructor() -> None:
    assert set(options_table()) == constructor_arguments(STT.read_text())


@pytest.mark.parametrize("name", TURN_RANGES[0].value)
def test_the_table_tells_each_turn_settings_default_and_range(name: str) -> None:
    row = options_table()[f"turn_{name}"]
    assert f"server's: {getattr(TURN_DEFAULTS[0].value, name)} " in row
    assert str(TURN_RANGES[0].value[name]) in row


def test_the_table_tells_the_other_limits_and_defaults() -> None:
    table = options_table()
    assert "{} to {}".format(*SAMPLE_RATES) in table["sample_rate"]
    assert f'`"{MODEL}"`' in table["model"]
    assert f'`"{API_VERSION}"`' in table["api_version"]


def test_the_table_tells_the_limits_on_lists_and_pieces() -> None:
    table = options_table()
    keyterms, hints = KEYTERMS.value, LANGUAGE_HINTS.value
    assert f"at most {keyterms.items}, of {keyterms.characters} characters in all" in table["keyterm"]
    assert f"at most {hints.items};" in table["language_hints"]
    assert "{} to {} ms".format(*CHUNKS_MS) in table["audio_chunk_duration_ms"]


@pytest.mark.parametrize("drawn", [turn_settings_table, presets_table, models_table])
def test_a_table_of_the_vendors_numbers_is_drawn_from_them(drawn: Callable[[], str]) -> None:
    assert f"\n\n{drawn()}\n\n" in README, "run `python -m tools.tables` in tests/"


def test_the_limits_of_the_plans_and_the_idle_close_are_told_as_they_are_known() -> None:
    bullet = README.split("- **Sockets.**")[1].split("\n- **")[0]
    assert f"{plans()} (as of {PLAN_STREAMS.since})" in " ".join(bullet.split())
    assert f"no audio for {IDLE_CLOSE_S.value / 60:.0f} minutes" in bullet


def test_the_readme_says_when_the_vendors_numbers_were_last_read() -> None:
    assert f"last\nread on {READ}." in README


def test_the_packages_own_readme_tells_the_default_that_is_known() -> None:
    text = (ROOT / "livekit-plugins-cartesia-turns/README.md").read_text()
    assert f"the server's default, {TURN_DEFAULTS[0].value.end_threshold} since August 2026" in text
    assert TURN_DEFAULTS[0].since.startswith("2026-08")


def test_every_make_target_the_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"^    (?:\w+=\S+ )?make ([a-z]+)", README, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_every_file_the_readme_links_to_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert all((ROOT / link).exists() for link in links)


def test_the_diagram_of_a_turn_is_drawn_from_the_table() -> None:
    assert f"```mermaid\n{turn_diagram()}\n```" in README, "run `python -m support.diagram` in tests/"

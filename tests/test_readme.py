"""What the README tells about commands and options is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.options import DEFAULT_TURN, MODEL, SAMPLE_RATES, TURN_RANGES
from livekit.plugins.cartesia_turns.protocol import API_VERSION
from support.diagram import turn_diagram

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
STT = ROOT / "livekit-plugins-cartesia-turns/livekit/plugins/cartesia_turns/stt.py"


def options_table() -> dict[str, str]:
    """Each argument in the README's table of options, with the rest of its row."""
    section = README.split("## Options")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", section, re.MULTILINE))


def constructor_arguments(source: str) -> set[str]:
    stt = next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == "STT")
    init = next(node for node in stt.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    return {argument.arg for argument in init.args.kwonlyargs}


def test_the_table_of_options_has_each_argument_of_the_constructor() -> None:
    assert set(options_table()) == constructor_arguments(STT.read_text())


@pytest.mark.parametrize("name", TURN_RANGES)
def test_the_table_tells_each_turn_settings_default_and_range(name: str) -> None:
    row = options_table()[f"turn_{name}"]
    low, high = TURN_RANGES[name]
    assert f"server's: {getattr(DEFAULT_TURN, name)} " in row
    assert f"{low} to {high}" in row


def test_the_table_tells_the_other_limits_and_defaults() -> None:
    table = options_table()
    assert "{} to {}".format(*SAMPLE_RATES) in table["sample_rate"]
    assert f'`"{MODEL}"`' in table["model"]
    assert f'`"{API_VERSION}"`' in table["api_version"]


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

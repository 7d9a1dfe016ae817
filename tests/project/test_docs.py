"""What the documentation tells about settings, faults and the code is so."""

from __future__ import annotations

import ast
import dataclasses
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import get_args

import pytest
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns import Cause, Stats, recording, server, testing
from livekit.plugins.cartesia_turns.core.events import Notice
from livekit.plugins.cartesia_turns.core.measures import WENT_ON_S, EndedBy, Measures
from livekit.plugins.cartesia_turns.core.speech import KEPT_S
from livekit.plugins.cartesia_turns.events import EventName
from livekit.plugins.cartesia_turns.instruments import NAMESPACE, PROVED_RIGHT, WENT_ON
from livekit.plugins.cartesia_turns.server import Faults
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
from opentelemetry.sdk.metrics.export import HistogramDataPoint, Sum
from support.faults import table as fault_table
from support.metrics import Recorded
from support.pages import DOCS, PACKAGE, PAGES, PLUGIN, READMES, page, rows, section
from tools.diagram import folders_table, turn_drawing
from tools.tables import models_table, plans, presets_table, turn_settings_table

SETTINGS = page("settings")
OPTIONS = {row[0].strip("`"): " | ".join(row[1:]) for row in rows(section(SETTINGS, "Settings and how to choose them"))}


def constructor_arguments(source: str) -> set[str]:
    stt = next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == "STT")
    init = next(node for node in stt.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    return {argument.arg for argument in init.args.kwonlyargs}


def test_the_table_of_settings_has_each_argument_of_the_constructor() -> None:
    assert OPTIONS.keys() - {"argument"} == constructor_arguments((PACKAGE / "stt.py").read_text())


@pytest.mark.parametrize("name", TURN_RANGES[0].value)
def test_the_table_tells_each_turn_settings_default_and_range(name: str) -> None:
    row = OPTIONS[f"turn_{name}"]
    assert f"server's: {getattr(TURN_DEFAULTS[0].value, name)} " in row
    assert str(TURN_RANGES[0].value[name]) in row


def test_the_table_tells_the_other_limits_and_defaults() -> None:
    assert "{} to {}".format(*SAMPLE_RATES) in OPTIONS["sample_rate"]
    assert f'`"{MODEL}"`' in OPTIONS["model"]
    assert f'`"{API_VERSION}"`' in OPTIONS["api_version"]


def test_the_table_tells_the_limits_on_lists_and_pieces() -> None:
    keyterms, hints = KEYTERMS.value, LANGUAGE_HINTS.value
    assert f"at most {keyterms.items}, of {keyterms.characters} characters in all" in OPTIONS["keyterm"]
    assert f"Cartesia accepts {hints.items};" in OPTIONS["language_hints"]
    assert "{} to {} ms".format(*CHUNKS_MS) in OPTIONS["audio_chunk_duration_ms"]


@pytest.mark.parametrize("drawn", [turn_settings_table, presets_table, models_table])
def test_a_table_of_the_vendors_numbers_is_drawn_from_them(drawn: Callable[[], str]) -> None:
    assert f"\n\n{drawn()}\n\n" in SETTINGS, "run `python -m tools.tables` in tests/"


def test_the_limits_of_the_plans_and_the_idle_close_are_told_as_they_are_known() -> None:
    bullet = page("production").split("- **Sockets.**")[1].split("\n- **")[0]
    assert f"{plans()} (as of {PLAN_STREAMS.since})" in " ".join(bullet.split())
    assert f"no audio for {IDLE_CLOSE_S.value / 60:.0f} minutes" in bullet


def test_the_settings_say_when_the_vendors_numbers_were_last_read() -> None:
    assert f"they were last read on {READ}." in " ".join(SETTINGS.split())


def test_the_packages_readme_tells_the_default_that_is_known() -> None:
    text = READMES[1].read_text()
    assert f"the server's default, {TURN_DEFAULTS[0].value.end_threshold} since August 2026" in text
    assert TURN_DEFAULTS[0].since.startswith("2026-08")


def test_the_diagram_of_a_turn_is_drawn_from_the_code() -> None:
    assert (DOCS / "turn.svg").read_text() == turn_drawing(), "run `python -m tools.diagram` in tests/"
    assert "](turn.svg)" in page("architecture")


def test_the_table_of_folders_and_their_imports_is_made_from_the_code() -> None:
    assert f"\n\n{folders_table()}\n\n" in page("architecture"), "run `python -m tools.diagram` in tests/"


def test_each_module_that_the_architecture_names_exists() -> None:
    named = re.findall(r"`((?:\w+/)?\w+\.py)`", page("architecture"))
    assert len(named) > 10
    assert all((PACKAGE / name).exists() for name in named)


def test_the_table_of_faults_is_the_one_that_is_tested() -> None:
    assert fault_table() in page("faults"), f"the table in docs/faults.md must be:\n\n{fault_table()}"


def test_the_causes_are_told_with_what_they_say() -> None:
    told = {row[0].strip("`"): row[1] for row in rows(section(page("faults"), "What ends a call and what does not"))}
    assert told.pop("cause")
    assert told == {cause.name.lower(): cause.value for cause in Cause}


def test_the_events_are_those_that_an_stt_emits() -> None:
    first_cells = [row[0] for row in rows(section(page("events"), "The STT's own events"))[1:]]
    assert {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)} == set(get_args(EventName))


def test_the_kinds_of_notices_are_those_that_are_counted() -> None:
    first_cells = [row[0].strip("`") for row in rows(section(page("telemetry"), "Notices"))]
    assert first_cells[1:] == [notice.name.lower() for notice in Notice]


def test_the_metrics_are_those_that_are_recorded() -> None:
    recorded = Recorded()
    recorded.instruments.start()
    recorded.instruments.turn_ended(Measures(EndedBy.SERVER, 0.5, 0.5, 1, EndedBy.SERVER))
    recorded.instruments.replayed_audio.record(1.0)
    made = {
        f"{NAMESPACE}.{name}": (
            "counter" if isinstance(metric.data, Sum) else "histogram",
            metric.unit,
            *(metric.data.data_points[0].attributes or {}),
        )
        for name, metric in recorded.metrics.items()
    }
    text = section(page("telemetry"), "Metrics")
    told = {row[0]: tuple(cell for cell in row[1:4] if cell != "none") for row in rows(text.replace("`", ""))[1:]}
    assert told == made
    assert all(f"`{ended_by.value}`" in text for ended_by in EndedBy)
    assert all(f"`{outcome['outcome']}`" in text for outcome in (PROVED_RIGHT, WENT_ON))
    assert text.count(f"{WENT_ON_S} s") == 2
    assert f"the last {KEPT_S:.0f} s have no voice" in " ".join(text.split())


def test_the_number_of_series_is_that_of_all_values_of_the_attributes() -> None:
    recorded = Recorded()
    recorded.instruments.start()
    recorded.instruments.replayed_audio.record(1.0)
    for ended_by in EndedBy:
        recorded.instruments.turn_ended(Measures(ended_by, 0.5, 0.5))
    points = [point for metric in recorded.metrics.values() for point in metric.data.data_points]
    series = sum(len(point.bucket_counts) + 2 if isinstance(point, HistogramDataPoint) else 1 for point in points)
    assert f"at most {series}, and" in section(page("telemetry"), "Export")


def test_each_fault_of_the_local_server_is_told_and_can_be_set_as_it_says() -> None:
    told = [row[0].strip("`") for row in rows(section(page("local-server"), "Fault injection"))[1:]]
    assert [line.split("=")[0] for line in told] == [field.name for field in dataclasses.fields(Faults)]
    for line in told:
        name, value = line.split("=", 1)
        assert Faults(**{name: ast.literal_eval(value)}) is not None


def test_each_fault_by_name_is_told() -> None:
    text = section(page("testing"), "Faults by name")
    assert [row[0].strip("`") for row in rows(text)[1:]] == list(testing.PASSING_FAULTS)
    assert all(f"`{name}`" in text for name in testing.LASTING_FAULTS)


def test_each_counter_that_is_named_exists() -> None:
    named = {name for path in PAGES for name in re.findall(r"st(?:ream|t)\.stats\.(\w+)", path.read_text())}
    assert named
    assert all(hasattr(Stats, name) for name in named)


def test_the_api_has_each_public_name_and_no_other() -> None:
    names = {
        f"{module.__name__}.{name}"
        for module in (cartesia_turns, server, testing, recording)
        for name in module.__all__
    }
    told = re.findall(r"^::: (\S+)$", page("api"), re.MULTILINE)
    assert len(told) == len(set(told))
    assert set(told) == names - {"livekit.plugins.cartesia_turns.__version__"}


def test_each_page_is_reached_from_the_first() -> None:
    first = (DOCS / "index.md").read_text()
    assert [path.name for path in DOCS.glob("*.md") if f"]({path.name})" not in first] == ["index.md"]


@pytest.mark.slow
def test_the_documentation_is_built_without_a_warning() -> None:
    make = [shutil.which("make") or "make", "docs", f"BIN={sys.prefix}/bin", "READY="]
    done = subprocess.run(make, cwd=PLUGIN.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = [path.read_text() for path in (PLUGIN.parent / ".artifacts/docs").glob("*.html")]
    assert len(built) > len(list(DOCS.glob("*.md")))
    loads = re.compile(
        r'<(?:script|img|iframe|link rel="(?:stylesheet|icon|preconnect)")[^>]* (?:src|href)="?(?:https?:)?//'
    )
    assert not [found[0] for text in built for found in loads.finditer(text)]
    # The theme fetches Mermaid's script from a public server when a page has such a diagram.
    assert not [text for text in built if 'class="mermaid"' in text]

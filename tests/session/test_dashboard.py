"""The Grafana dashboard asks for metrics, labels and values that Prometheus gets of a real session."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser as promql
import pytest
import pytest_asyncio
from livekit.plugins.cartesia_turns import telemetry
from livekit.plugins.cartesia_turns.instruments import NAMESPACE
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from prometheus_client import REGISTRY
from prometheus_client.samples import Sample
from support.conversation import QUIET, conversation
from support.metrics import Recorded
from support.pages import DOCS, page
from support.script import RESUME, START, eager_end, end, update

DASHBOARD: dict[str, Any] = json.loads((DOCS / "grafana-dashboard.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS: list[dict[str, Any]] = [target for panel in PANELS for target in panel["targets"]]
VARIABLES: dict[str, dict[str, Any]] = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
OF_PROMETHEUS = {"job"}
"""Labels that Prometheus adds to what it reads."""
OF_GRAFANA = {"__range": "6h", "__rate_interval": "1m"}
"""Variables of Grafana's own, with a value."""
VALUES = {**OF_GRAFANA, "window": "1h", "job": ".*", "datasource": "prometheus"}


def queries() -> list[str]:
    """The queries as Prometheus gets them."""
    return [re.sub(r"\$(\w+)", lambda found: VALUES[found[1]], target["expr"]) for target in TARGETS]


def nodes(expression: promql.Expr) -> list[promql.Expr]:
    found: list[promql.Expr] = []
    promql.walk(expression, found.append)
    return found


def selectors() -> Iterator[promql.VectorSelector]:
    for query in queries():
        for node in nodes(promql.parse(query)):
            if isinstance(node, promql.MatrixSelector):
                yield node.vector_selector
            elif isinstance(node, promql.VectorSelector):
                yield node


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def samples() -> list[Sample]:
    """What the Prometheus exporter gives of a session in which a bit of everything happens."""
    reader = PrometheusMetricReader()
    recorded = Recorded(reader)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telemetry, "instruments", recorded.instruments)
        async with conversation() as talk:
            await talk.microphone.speak(0.3)
            await talk.hears(START, update("well"), eager_end("well"), RESUME)
            await talk.server.drop_all()
            await talk.hears(START, update("well I"), steps=1)
            await talk.microphone.speak(0.5, QUIET)
            await talk.hears(eager_end("well I"), end("well I"), pcm=QUIET)
            await talk.turn("and more")
    told = [sample for family in REGISTRY.collect() for sample in family.samples]
    reader.shutdown()
    return [sample for sample in told if sample.name.startswith(NAMESPACE)]


def labels_of(samples: list[Sample], name: str) -> dict[str, set[str]]:
    """Each label of the metric with its values."""
    labels: dict[str, set[str]] = {}
    for sample in samples:
        if sample.name == name:
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return labels


async def test_something_of_each_kind_has_happened(samples: list[Sample]) -> None:
    happened = {sample.name for sample in samples if sample.value > 0}
    assert happened >= {
        "cartesia_turns_end_delay_seconds_bucket",
        "cartesia_turns_end_delay_seconds_count",
        "cartesia_turns_end_delay_seconds_sum",
        "cartesia_turns_eager_lead_seconds_count",
        "cartesia_turns_replayed_audio_seconds_sum",
        "cartesia_turns_turns_total",
        "cartesia_turns_cut_offs_total",
        "cartesia_turns_eager_ends_total",
        "cartesia_turns_reconnects_total",
    }


async def test_each_query_asks_for_metrics_that_are_there_by_labels_that_they_have(samples: list[Sample]) -> None:
    asked = 0
    for selector in selectors():
        labels = labels_of(samples, selector.name or "")
        assert labels, f"there is no {selector.name}"
        for matcher in selector.matchers.matchers:
            asked += 1
            if matcher.name not in OF_PROMETHEUS:
                assert matcher.op == promql.MatchOp.Equal
                assert matcher.value in labels[matcher.name], f"{selector.name} has no {matcher.name}={matcher.value}"
    assert asked >= len(TARGETS)


async def test_each_sum_is_by_labels_that_the_metrics_have(samples: list[Sample]) -> None:
    grouped = 0
    for query, target in zip(queries(), TARGETS, strict=True):
        shown: set[str] = set()
        for node in nodes(promql.parse(query)):
            if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
                names = {each.vector_selector.name for each in nodes(node) if isinstance(each, promql.MatrixSelector)}
                assert all(set(node.modifier.labels) <= labels_of(samples, name or "").keys() for name in names), query
                shown |= set(node.modifier.labels)
                grouped += 1
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= shown
    assert grouped > 5


async def test_each_metric_is_drawn_somewhere(samples: list[Sample]) -> None:
    suffixes = r"_(bucket|sum|count|total|created)$"
    drawn = {re.sub(suffixes, "", selector.name or "") for selector in selectors()}
    assert drawn == {re.sub(suffixes, "", sample.name) for sample in samples}


def test_a_quantile_is_taken_of_buckets_by_their_bounds_and_a_rate_of_what_only_grows() -> None:
    for query in queries():
        for selector in re.findall(r"histogram_quantile\([\d.]+, (.*)\)$", query):
            assert re.fullmatch(r"sum by \(le\) \(rate\(\w+_bucket\{.*\}\[\w+\]\)\)", selector), query
        for name in re.findall(rf"{NAMESPACE}\w+", query):
            assert re.search(r"_(bucket|sum|count|total)$", name)
            assert re.search(rf"(rate|increase)\({name}\{{[^}}]*\}}\[", query), query


def test_each_variable_is_defined_and_used() -> None:
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(PANELS)))
    assert used == VARIABLES.keys() | OF_GRAFANA.keys()
    assert {selector["text"] for selector in VARIABLES["window"]["options"] if selector["selected"]} == {"1h"}
    assert VARIABLES["window"]["query"].split(",") == [each["value"] for each in VARIABLES["window"]["options"]]
    (named,) = re.findall(r"label_values\((\w+), job\)", VARIABLES["job"]["query"]["query"])
    assert named == f"{NAMESPACE}_turns_total"


def test_any_data_source_of_prometheus_can_be_chosen() -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert all(each["datasource"] == chosen for each in [*PANELS, *TARGETS, VARIABLES["job"]])
    assert VARIABLES["datasource"]["query"] == "prometheus"


def test_each_panel_says_what_it_shows_and_in_which_unit() -> None:
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"].endswith(".")
        unit = panel["fieldConfig"]["defaults"].get("unit") or panel["options"]["yAxis"]["unit"]
        has_seconds = any(re.search("seconds_(bucket|sum)", each["expr"]) for each in panel["targets"])
        assert (unit == "s") == has_seconds, panel["title"]
        is_rate = any(re.fullmatch(r"sum\(.*\) / sum\(.*\)", each["expr"]) for each in panel["targets"])
        assert (unit == "percentunit") == is_rate, panel["title"]


def test_the_panels_advise_what_the_page_on_settings_does() -> None:
    told = [found for panel in PANELS for found in re.findall(r"(lower|raise) (\w+_\w+)", panel["description"])]
    assert len(told) == 3
    assert all(f"{verb} `{setting}`" in page("settings") for verb, setting in told)


def test_the_panels_lie_side_by_side_in_the_grid() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        across = range(place["x"], place["x"] + place["w"])
        down = range(place["y"], place["y"] + place["h"])
        cells = set(itertools.product(across, down))
        assert not cells & taken
        taken |= cells
    rows = {down for _, down in taken}
    assert taken == set(itertools.product(range(24), rows))
    assert rows == set(range(max(rows) + 1))
    assert all(len({each["refId"] for each in panel["targets"]}) == len(panel["targets"]) for panel in PANELS)

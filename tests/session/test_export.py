"""The documentation's way to export the metrics, in a process of its own: it can have but one meter provider."""

from __future__ import annotations

import asyncio
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from support.pages import page, section, snippets

JOB = """
import asyncio, os, types
from livekit.agents import JobExecutorType, JobProcess
from livekit.plugins.cartesia_turns.testing import ScriptedServer

process = JobProcess(executor_type=JobExecutorType.PROCESS, user_arguments=None, http_proxy=None)
server.setup_fnc(process)
callbacks = []
ctx = types.SimpleNamespace(proc=process, add_shutdown_callback=callbacks.append)


async def job():
    await converse(ctx)
    async with ScriptedServer() as scripted, scripted.stream() as call:
        await call.say("yes")
    for callback in callbacks:
        await callback()


asyncio.run(job())
os._exit(0)  # as a process of livekit-agents on Linux: no exit handler runs
"""


class Collector(http.server.ThreadingHTTPServer):
    """Takes what is exported, at any free port of this machine."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Export)
        self.requests: list[ExportMetricsServiceRequest] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/metrics"


class Export(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(ExportMetricsServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_request(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        serving = threading.Thread(target=collector.serve_forever)
        serving.start()
        yield collector
        collector.shutdown()
        serving.join()


@pytest.mark.slow  # a process that imports everything anew
async def test_the_metrics_of_a_job_are_exported_before_its_process_ends(collector: Collector, tmp_path: Path) -> None:
    (snippet,) = snippets(section(page("telemetry"), "Export"))
    program = tmp_path / "job.py"
    program.write_text(snippet + JOB)
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": collector.address}
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, str(program)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (resource,) = collector.requests[-1].resource_metrics
    attributes = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert attributes["service.name"] == "agent"
    assert len(attributes["service.instance.id"]) == 36
    exported = {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}
    assert values(exported["cartesia_turns.turns"]) == {"server": 1}
    assert values(exported["cartesia_turns.cut_offs"]) == {}
    (point,) = exported["cartesia_turns.end_delay"].histogram.data_points
    assert (point.count, exported["cartesia_turns.end_delay"].unit) == (1, "s")
    assert 0.1 < point.sum < 5.0
    assert list(point.explicit_bounds)[:3] == [0.1, 0.2, 0.3]


def values(metric: Metric) -> dict[str, float]:
    """The values of a counter that are not 0, by the only attribute."""
    points = metric.sum.data_points
    return {each.attributes[0].value.string_value: each.as_double or each.as_int for each in points if each.as_int}

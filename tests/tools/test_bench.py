"""The benchmark: its statistics and its comparison, and that each scale still measures something."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from livekit.plugins.cartesia_turns.core.speech import Activity
from tools.bench import check, report, stamps
from tools.bench.__main__ import arguments
from tools.bench.cells import Cell, Place
from tools.bench.figures import FLOOR, NOTHING, OFFICIAL, OURS, Figure, exponent, quantile
from tools.bench.load import Wakes, counting_loop
from tools.bench.processes import ENVIRONMENT, Process
from tools.bench.progress import working_on
from tools.bench.runner import Run
from tools.bench.scales import SCALES

SCRIPTS = sorted((Path(__file__).parent / "bench").glob("*_figures.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_each_script_of_figures_says_what_it_measures_and_measures_nothing_then(script: Path) -> None:
    said = subprocess.run(
        [sys.executable, str(script), "--help"], capture_output=True, text=True, timeout=30, check=True
    )
    assert said.stdout.startswith(f"usage: {script.name} [-h]")
    assert "Measures " in said.stdout
    assert said.stderr == ""


def test_progress_goes_where_no_figure_goes(capsys: pytest.CaptureFixture[str]) -> None:
    working_on("one real-time stream", 0, 2)
    assert tuple(capsys.readouterr()) == ("", "[1/2] one real-time stream\n")


def figure(name: str = "age, ms", *, more_is_better: bool = False, **values: list[float]) -> Figure:
    named = {"ours": OURS, "floor": FLOOR, "official": OFFICIAL, "nothing": NOTHING}
    by_contestant = {named[short]: given for short, given in values.items()}
    return Figure("audio", name, more_is_better, harness_in_it="nothing" in values, values=by_contestant)


@pytest.mark.parametrize(("part", "value"), [(0.0, 1), (0.5, 2.5), (0.95, 3.85), (1.0, 4)])
def test_a_quantile_lies_between_its_neighbours(part: float, value: float) -> None:
    assert quantile([4, 1, 3, 2], part) == pytest.approx(value)


def test_nothing_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="no value"):
        quantile([], 0.5)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_growth_is_told_as_the_power_of_the_size(power: float) -> None:
    sizes = [1.0, 2.0, 4.0, 8.0]
    assert exponent(sizes, [3 * size**power for size in sizes]) == pytest.approx(power)


def test_the_harness_is_taken_off_round_by_round() -> None:
    measured = figure(ours=[5, 9], floor=[3, 5], nothing=[1, 3])
    assert measured.net(OURS) == [4, 6]
    assert measured.ratios(OURS, FLOOR) == [2, 3]
    assert measured.median(NOTHING) == 2


def test_ratios_are_taken_within_a_round_so_that_a_slow_round_does_not_count() -> None:
    measured = figure(ours=[2, 20, 2], floor=[1, 10, 1])
    assert measured.ratio(OURS, FLOOR) == 2


def test_a_peer_that_took_nothing_gives_no_ratio() -> None:
    assert math.isnan(figure(ours=[1], floor=[0]).ratio(OURS, FLOOR))
    assert math.isnan(figure(ours=[1]).ratio(OURS, FLOOR))


def test_noise_is_how_far_rounds_are_from_the_median_one() -> None:
    assert figure(floor=[9, 10, 11, 10, 12]).noise(FLOOR) == pytest.approx(0.1)
    assert figure(floor=[10]).noise(FLOOR) == 0


def test_what_got_worse_beside_the_floor_is_said() -> None:
    earlier, now = figure(ours=[2, 2, 2], floor=[1, 1, 1]), figure(ours=[3, 3, 3], floor=[1, 1, 1])
    (sentence,) = check.worse([now], [earlier])
    assert "2.00 x bare websocket has become 3.00" in sentence
    assert not check.worse([earlier], [now])


def test_a_slower_machine_is_no_worse_plugin() -> None:
    earlier, now = figure(ours=[2, 2, 2], floor=[1, 1, 1]), figure(ours=[20, 20, 20], floor=[10, 10, 10])
    assert not check.worse([now], [earlier])


def test_a_change_within_the_noise_of_the_floor_is_none() -> None:
    earlier = figure(ours=[2, 2, 2], floor=[0.9, 1, 1.1])
    now = figure(ours=[2.5, 2.5, 2.5], floor=[0.9, 1, 1.1])
    assert not check.worse([now], [earlier])
    far_worse = figure(ours=[6, 6, 6], floor=[0.9, 1, 1.1])
    assert check.worse([far_worse], [earlier])


def test_one_round_says_nothing_of_noise_so_that_only_a_great_change_is_one() -> None:
    earlier = figure(ours=[2], floor=[1])
    assert not check.worse([figure(ours=[2.5], floor=[1])], [earlier])
    assert check.worse([figure(ours=[3], floor=[1])], [earlier])


def test_without_a_floor_the_official_plugin_is_the_measure_and_without_it_the_value() -> None:
    (sentence,) = check.worse([figure(ours=[4], official=[2])], [figure(ours=[2], official=[2])])
    assert OFFICIAL in sentence
    (sentence,) = check.worse([figure(ours=[4])], [figure(ours=[2])])
    assert "2 has become 4" in sentence


def test_words_that_are_lost_now_are_worse_than_none() -> None:
    assert check.worse([figure(ours=[1])], [figure(ours=[0])])
    assert not check.worse([figure(ours=[0])], [figure(ours=[0])])


def test_less_of_what_is_a_gain_is_worse() -> None:
    earlier, now = figure(more_is_better=True, ours=[600]), figure(more_is_better=True, ours=[300])
    assert check.worse([now], [earlier])
    assert not check.worse([earlier], [now])


def test_what_was_not_measured_again_is_named() -> None:
    assert check.missing([figure("found")], [figure("lost"), figure("found")]) == ["audio: lost"]
    assert not check.missing([], [figure("of a scale that was not asked for")])
    assert not check.worse([], [figure("lost", ours=[1])])


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    measured = [figure(ours=[1, 2], floor=[1, 1], nothing=[0, 0])]
    path = tmp_path / "bench.json"
    report.Report("make bench", 2, measured).save(path)
    assert report.read(path) == measured


@pytest.mark.parametrize("text", ["[]", "{}", '{"figures": [{"name": "of another kind"}]}'])
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bench.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="JSON of a benchmark"):
        report.read(path)


def test_a_report_shows_medians_and_ratios_and_draws_them(tmp_path: Path) -> None:
    measured = [figure(ours=[2, 2], floor=[1, 1])]
    shown = report.Report("make bench", 2, measured).text()
    assert "| age, ms | 2.00 | 1.00 | 2.00 |" in shown
    report.plot(measured, tmp_path / "bench.svg")
    assert "<svg" in (tmp_path / "bench.svg").read_text()


def test_a_scale_that_is_none_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(["--only", "audio,smell"])
    assert "smell" in capsys.readouterr().err


def test_a_quick_run_has_one_round_and_every_scale_a_quick_cell() -> None:
    options = arguments(["--quick"])
    assert options.rounds == 1
    assert all(scale.cells(quick=True, long=False) for scale in SCALES.values())


def test_the_long_cells_come_on_top_of_the_usual_ones() -> None:
    usual, longer = (SCALES["memory"].cells(quick=False, long=long) for long in (False, True))
    assert len(longer) > len(usual)
    assert all(cell in longer for cell in usual)


def test_the_wake_ups_of_an_event_loop_are_counted() -> None:
    loop, wakes = counting_loop()
    for _ in range(3):
        loop.run_until_complete(asyncio.sleep(0.001))
    loop.close()
    assert 3 <= wakes.count < 30


def test_a_stamp_is_read_as_it_was_made_and_other_audio_has_none() -> None:
    frame = stamps.stamped(bytes(640), 123_456_789)
    assert stamps.read(frame.data.tobytes()[: stamps.STAMP_BYTES]) == 123_456_789
    assert stamps.read(bytes(stamps.STAMP_BYTES)) is None
    assert stamps.read(stamps.MAGIC) is None


@pytest.mark.parametrize("frame_ms", [10, 20, 50])
def test_its_calls_are_speech_and_pauses(frame_ms: int) -> None:
    """If the stamps were loud, there would be no pause, and a plugin that does less in pauses would not be seen to."""
    talk, activity = stamps.Talk(frame_ms), Activity()
    turn, speech = round(stamps.CYCLE_S / talk.frame_s), round(stamps.SPEECH_S / talk.frame_s)
    quiet_s: dict[int, list[float]] = {speech: [], turn: []}
    for number in range(4 * turn):
        now = (number + 1) * talk.frame_s
        activity.push(talk.frame(number).data.tobytes(), talk.frame_s, now)
        quiet_s.get(number % turn + 1, []).append(activity.quiet_s)
    gap_s = stamps.SYLLABLE_S - stamps.VOICED_S
    assert quiet_s[speech] == pytest.approx([gap_s] * 4, abs=0.04)
    assert quiet_s[turn] == pytest.approx([gap_s + stamps.CYCLE_S - stamps.SPEECH_S] * 4, abs=0.04)


@pytest.fixture
def url() -> Iterator[str]:
    """An endpoint in a process of its own, as in a run."""
    with contextlib.closing(Process("tools.bench.endpoint")) as server:
        yield server.line().strip()


SMALLEST: list[tuple[str, str, str, dict[str, Any]]] = [
    (OURS, "audio", "ages", {"audio_s": 0.8}),
    (FLOOR, "audio", "ages", {"audio_s": 0.8}),
    (OURS, "cpu", "load", {"streams": 2, "audio_s": 0.3, "speed": 1}),
    (FLOOR, "cpu", "load", {"streams": 2, "audio_s": 0.3, "speed": 4}),
    (NOTHING, "cpu", "load", {"streams": 2, "audio_s": 0.3, "speed": 1}),
    (OURS, "memory", "busy", {"streams": 2, "seconds": 0.1}),
    (OURS, "start", "cold", {"times": 1}),
    (FLOOR, "start", "cold", {"times": 1}),
    (OURS, "growth", "turns", {"longest_s": 16.0}),
    (OURS, "growth", "texts", {"most_words": 160}),
    (OURS, "growth", "backlogs", {"longest_s": 8.0}),
]


@pytest.mark.parametrize(("contestant", "scale", "job", "numbers"), SMALLEST)
async def test_each_scale_measures_something(
    url: str, contestant: str, scale: str, job: str, numbers: dict[str, Any]
) -> None:
    told = await SCALES[scale].jobs[job](Place(contestant, url, Wakes()), **numbers)
    assert told
    assert all(math.isfinite(value) for value in told.values()), told


async def test_so_do_those_that_this_plugin_alone_can_do(url: str) -> None:
    place = Place(OURS, url, Wakes())
    (first_ms,) = (await SCALES["start"].jobs["prewarmed"](place, times=1)).values()
    (reply_ms,) = (await SCALES["session"].jobs["closing a session in mid-turn"](place)).values()
    broken = await SCALES["trouble"].jobs["reset"](place, speech_s=1.0)
    assert 0 < first_ms < math.inf
    assert 0 < reply_ms < math.inf
    assert broken["after a reset, words lost of a hundred"] == 0
    assert broken["after a reset, turns told of the one spoken"] == 1


def test_a_server_whose_benchmark_was_killed_ends_too() -> None:
    command = [sys.executable, "-m", "tools.bench.endpoint"]
    run = subprocess.run(
        command, stdin=subprocess.DEVNULL, env=ENVIRONMENT, capture_output=True, timeout=20, check=True
    )
    assert run.stdout.startswith(b"http://127.0.0.1:")


@pytest.mark.slow  # two processes that import LiveKit Agents
def test_a_run_asks_every_contestant_in_a_process_of_its_own_and_keeps_what_failed() -> None:
    good = Cell("cpu", "load", "1 stream", {"streams": 1, "audio_s": 0.3, "speed": 1}, (FLOOR, NOTHING))
    bad = Cell("cpu", "load", "none", {"streams": 0, "audio_s": 0.3, "speed": 1}, (NOTHING,))
    said: list[str] = []
    run = Run([good, bad], [FLOOR, NOTHING], 1, said.append)
    figures = {figure.name: figure for figure in run.all_rounds()}
    cpu = figures["CPU seconds a stream-minute, 1 stream"]
    assert set(cpu.values) == {FLOOR, NOTHING}
    assert cpu.values[FLOOR][0] > 0
    assert len(run.failures) == 1
    assert any("round 1 of 1" in line for line in said)
    assert json.dumps(check.as_json(figures.values()))

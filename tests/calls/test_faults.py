"""The fault matrix: every fault strikes a call in every state of its turn, over real sockets.

The cells are independent calls, so they run side by side, once for all tests of this module.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from livekit.agents import APIConnectOptions, APIError
from livekit.plugins.cartesia_turns.recording import Recording, load, replay
from livekit.plugins.cartesia_turns.server import Faults, LocalServer, Script
from support import faults
from support.calls import calling
from support.exposed import exposed
from support.faults import CELLS, FAULTS, HEADERS, KEYTERM, Fault, Outcome, Promise, State, run_all
from support.waiting import wait_until

PRIVATE = "lk.pii."
SECRETS = ["local-", KEYTERM, *HEADERS.values(), "model=ink-2", "Bearer"]

# The first test waits for all the calls.
pytestmark = pytest.mark.timeout(300)

Cell: TypeAlias = tuple[Fault, State]


class Matrix:
    """What came of the cells, all that was logged meanwhile, and the recordings of their calls."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.results: dict[tuple[str, State], Outcome | BaseException] = {}
        self.records: list[logging.LogRecord] = []

    @property
    def outcomes(self) -> list[Outcome]:
        """Of the cells that came to their end."""
        return [result for result in self.results.values() if isinstance(result, Outcome)]

    def recording(self, cell: Cell) -> Recording:
        """Of a cell's call, once the thread that writes is done with it."""
        folder = faults.recordings_of(*cell, self._folder)
        written = wait_until(lambda: list(folder.glob("*/audio.flac")), what=f"a recording in {folder}")
        return load(written[0].parent)

    def __getitem__(self, cell: Cell) -> Outcome:
        fault, state = cell
        result = self.results[fault.name, state]
        if isinstance(result, BaseException):
            raise AssertionError(f"the call did not come to its end: {title(cell)}") from result
        return result


class LogKeeper(logging.Handler):
    """Keeps every record."""

    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__(logging.DEBUG)
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)


def title(value: object) -> str:
    if isinstance(value, tuple):
        fault, state = value
        return f"{fault.name}, {state.value}".replace(" ", "-")
    return str(value)


@pytest.fixture(scope="module")
def matrix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    """Runs the cells that the selected tests ask for, with every logger at DEBUG, and records them."""
    params = [getattr(item, "callspec", None) for item in request.session.items]
    wanted = [spec.params["cell"] for spec in params if spec is not None and "cell" in spec.params]
    cells = [cell for cell in CELLS if cell in wanted] or CELLS
    folder = tmp_path_factory.mktemp("calls")
    found = Matrix(folder)
    root, keeper = logging.getLogger(), LogKeeper(found.records)
    level, levels = root.level, {name: logging.getLogger(name).level for name in ("livekit", "aiohttp", "asyncio")}
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        found.results = asyncio.run(run_all(cells, record=folder))
    finally:
        root.removeHandler(keeper)
        root.setLevel(level)
        for name, before in levels.items():
            logging.getLogger(name).setLevel(before)
    return found


each_cell = pytest.mark.parametrize("cell", CELLS, ids=title)


@each_cell
def test_every_word_is_in_one_final_and_in_order(matrix: Matrix, cell: Cell) -> None:
    fault, state = cell
    outcome = matrix[cell]
    spoken, said = sum_of(outcome.turns), sum_of(outcome.finals)
    assert not {word: times for word, times in Counter(said).items() if times > 1}, "repeated"
    assert said == sorted(said), "reordered"
    if fault.promises(state) is Promise.SO_FAR:
        assert said == spoken[: len(said)]
        assert len(said) >= len(shown(outcome.log)[-1].split())
    else:
        assert not set(spoken) - set(said), "lost"
        assert not set(said) - set(spoken), "made up"


@each_cell
def test_a_turn_has_one_start_one_final_and_one_end(matrix: Matrix, cell: Cell) -> None:
    fault, state = cell
    outcome = matrix[cell]
    kinds = [entry.split()[0] for entry in outcome.log]
    steps = [kind for kind in kinds if kind in ("START", "FINAL", "END")]
    assert steps == ["START", "FINAL", "END"] * (len(steps) // 3)
    if fault.promises(state) is Promise.WHOLE:
        assert outcome.finals == outcome.turns
    if fault.promises(state) is Promise.SPLIT:
        assert len(outcome.finals) <= len(outcome.turns) + 1


@each_cell
def test_interims_never_fall_back_behind_what_was_shown(matrix: Matrix, cell: Cell) -> None:
    for turn in " ".join(matrix[cell].log).split("START")[1:]:
        lengths = [len(text.split()) for text in shown([f"INTERIM {part}" for part in split_events(turn)])]
        assert lengths == sorted(lengths)


@each_cell
def test_nothing_surfaces_and_no_socket_is_left(matrix: Matrix, cell: Cell) -> None:
    outcome = matrix[cell]
    assert not outcome.surfaced
    assert outcome.left == 0


@each_cell
def test_frames_arrive_in_order_and_none_of_a_settled_turn_arrives_again(matrix: Matrix, cell: Cell) -> None:
    fault, state = cell
    outcome = matrix[cell]
    brought = [(frames, settled) for frames, settled in zip(outcome.heard, outcome.settled, strict=True) if frames]
    # A backlog that may not be sent faster than real time goes without its silence.
    everything = range(max((frames[-1] for frames, _ in brought), default=0))
    needed = set(sum_of(outcome.turns) if fault.skips_silence else everything)
    for frames, _ in brought:
        assert frames == sorted(set(frames))
        assert not needed & set(range(frames[0], frames[-1])) - set(frames)
    for (before, _), (after, settled) in itertools.pairwise(brought):
        assert not needed & set(range(before[-1] + 1, after[0])), "frames are missing"
        if fault.promises(state) is Promise.WHOLE:
            assert after[0] > settled
    if state is State.IDLE:
        assert brought[-1][1] >= outcome.turns[0][-1] or len(brought) == 1


@each_cell
def test_usage_is_what_was_sent_and_the_server_received_no_more(matrix: Matrix, cell: Cell) -> None:
    outcome = matrix[cell]
    assert outcome.usage_s == pytest.approx(outcome.stats.sent_s)
    assert outcome.heard_s <= outcome.usage_s + 0.1
    assert outcome.stats.lost_s == 0


@each_cell
def test_its_recording_replays_the_same_and_holds_no_key_no_header_and_no_address(matrix: Matrix, cell: Cell) -> None:
    assert matrix[cell].log
    recording = matrix.recording(cell)
    outcome = replay(recording)
    assert outcome.is_same, str(outcome)
    assert outcome.events >= 4
    text = (recording.folder / "call.jsonl").read_text()
    assert not [secret for secret in (*SECRETS, "127.0.0.1", "ws://") if secret != KEYTERM and secret in text]


def sum_of(lists: list[list[int]]) -> list[int]:
    return list(itertools.chain.from_iterable(lists))


def shown(log: list[str]) -> list[str]:
    """The texts of the interims and preflights."""
    return [entry.partition(" ")[2] for entry in log if entry.split()[0] in ("INTERIM", "PREFLIGHT")]


def split_events(turn: str) -> list[str]:
    """The texts of a turn's events, in order, from the log written in one line."""
    marked = turn.replace("PREFLIGHT", "|").replace("INTERIM", "|").replace("FINAL", "|").replace("END", "")
    return [part.strip() for part in marked.split("|") if part.strip()]


# What is told of it.


def test_no_secret_is_in_any_log_record_or_error_of_any_cell(matrix: Matrix) -> None:
    assert len(matrix.records) > 20
    announced = [text for outcome in matrix.outcomes for text in outcome.exposed]
    assert len(announced) > 20
    told = [*map(public_part, matrix.records), *map(repr, surfaced(matrix)), *announced]
    assert not [text for text in told for secret in SECRETS if secret in text]


@pytest.mark.parametrize(
    "faults",
    [
        Faults(status=401),
        Faults(status=429),
        Faults(refuse=True),
        Faults(handshake_delay_s=5.0),
        Faults(no_connected=True),
        Faults(drop_at_s=0.0),
        Faults(garbage_at_s=0.0, garbage=['{"type": "error", "message": "no", "status_code": 400}']),
    ],
    ids=["401", "429", "refused", "slow", "no connected", "dropped", "error in band"],
)
@pytest.mark.parametrize("by", ["api_key", "access_token"])
async def test_no_secret_is_among_the_variables_of_an_error_that_surfaces(
    faults: Faults, by: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with LocalServer(script=Script([]), faults=faults) as server:
        arguments: dict[str, Any] = {"api_key": None, by: server.key, "keyterm": [KEYTERM], "extra_headers": HEADERS}
        async with calling(server, conn_options=APIConnectOptions(max_retry=0, timeout=0.3), **arguments) as call:
            call.speak(0.1)
            await call.over()
    assert isinstance(call.raised, APIError)
    told = [*call.exposed, exposed(call.raised)]
    assert len(told) == 3
    assert caplog.records
    told += map(public_part, caplog.records)
    assert not [secret for text in told for secret in SECRETS if secret in text]


def test_transcripts_are_in_private_fields_alone(matrix: Matrix) -> None:
    texts = {" ".join(map(str, turn[:3])) for outcome in matrix.outcomes for turn in outcome.finals}
    assert texts
    assert not [text for record in matrix.records for text in texts if text in public_part(record)]


def test_no_traceback_is_logged_and_no_exception_is_left_to_the_event_loop(matrix: Matrix) -> None:
    ours = [record for record in matrix.records if "aiohttp" not in record.name]
    assert not [record.getMessage() for record in ours if record.exc_info or record.levelno >= logging.ERROR]


def public_part(record: logging.LogRecord) -> str:
    fields = {name: value for name, value in vars(record).items() if not name.startswith(PRIVATE)}
    trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
    return f"{record.getMessage()} {fields} {trace}"


def surfaced(matrix: Matrix) -> list[object]:
    return [error for outcome in matrix.outcomes for error in outcome.surfaced]


async def test_a_cell_that_fails_takes_no_other_along(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(fault: Fault, state: State, _: object) -> str:
        assert state is not State.EAGER
        return fault.name

    monkeypatch.setattr(faults, "run", run)
    cells = [(FAULTS[0], state) for state in State]
    matrix = Matrix(Path())
    matrix.results = await run_all(cells)
    assert [isinstance(result, AssertionError) for result in matrix.results.values()] == [
        state is State.EAGER for state in State
    ]
    with pytest.raises(AssertionError, match=FAULTS[0].name.replace(" ", "-")):
        matrix[FAULTS[0], State.EAGER]


def test_half_of_the_cells_are_in_noise_of_every_kind_and_in_pieces_of_every_length() -> None:
    surroundings = [faults.surroundings(*cell) for cell in CELLS]
    noisy = [room for room, _ in surroundings if room in faults.NOISY]
    assert len(noisy) >= len(CELLS) // 2
    assert set(noisy) == set(faults.NOISY)
    assert {piece_s for _, piece_s in surroundings} == set(faults.PIECES_S)


def test_the_matrix_is_complete() -> None:
    assert len(FAULTS) >= 13
    assert {state for _, state in CELLS} == set(State)

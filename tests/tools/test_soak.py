"""The soak in short: some calls for a minute, with everything going wrong at random."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools import soak


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_minute_of_faults_loses_nothing_leaves_nothing_and_replays_the_same(tmp_path: Path) -> None:
    tally = await soak.soak(16, 60, seed=1, record=tmp_path, recorded=8)
    assert not tally.failures, tally.report()
    assert tally.turns > 100
    assert sum(tally.faults.values()) > 20
    assert tally.recorded == 8

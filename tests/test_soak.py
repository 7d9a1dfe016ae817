"""The soak in short: some calls for a minute, with everything going wrong at random."""

from __future__ import annotations

import pytest
import soak
from livekit.plugins.cartesia_turns.pacing import SERVER_LAG_S

ATTEMPTS = 3


@pytest.mark.slow
@pytest.mark.timeout(120 * ATTEMPTS)
async def test_a_minute_of_faults_loses_nothing_and_leaves_nothing() -> None:
    for attempt in range(ATTEMPTS):
        tally = await soak.soak(16, 60, seed=attempt)
        # A minute in which the machine held up the server for longer than a client allows for may cost words.
        if not tally.failures or tally.held_up_s < SERVER_LAG_S:
            break
    assert not tally.failures, tally.report()
    assert tally.turns > 100
    assert sum(tally.faults.values()) > 20

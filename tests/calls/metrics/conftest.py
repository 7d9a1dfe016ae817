"""What a test of the instruments needs: the instruments, and a call whose events they measure."""

from __future__ import annotations

import pytest
from livekit.plugins.cartesia_turns import telemetry
from support.measured import MeasuredCall
from support.metrics import Recorded


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(telemetry, "instruments", recorded.instruments)
    return recorded


@pytest.fixture
def call(recorded: Recorded) -> MeasuredCall:
    return MeasuredCall()

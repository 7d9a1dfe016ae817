"""What a test of the instruments needs beside them: a call whose events they measure."""

from __future__ import annotations

import pytest
from support.measured import MeasuredCall
from support.metrics import Recorded


@pytest.fixture
def call(recorded: Recorded) -> MeasuredCall:
    return MeasuredCall()

"""Faults by name: those that a call recovers from, and those that last."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..server.faults import FaultPlan, Faults

IN_MID_TURN_S = 0.8
"""When a fault strikes an open connection, in seconds of its audio."""

PASSING_FAULTS: Mapping[str, FaultPlan] = MappingProxyType(
    {
        "none": Faults(),
        "refused once": [Faults(refuse=True)],
        "unavailable once": [Faults(status=503)],
        "too many streams once": [Faults(status=429, status_headers={"Retry-After": "1"})],
        "slow handshake": Faults(handshake_delay_s=0.5),
        "connection reset": [Faults(drop_at_s=IN_MID_TURN_S)],
        "server restarts": [Faults(drop_at_s=IN_MID_TURN_S, drop_code=1012)],
        "server error": [Faults(drop_at_s=IN_MID_TURN_S, drop_code=1011)],
        "closed while idle": [Faults(drop_at_s=0.0, drop_code=1001)],
        "garbage": Faults(garbage_at_s=IN_MID_TURN_S, garbage=("not JSON", b"\x00\xff", '{"type": "turn.unheard_of"}')),
        "config rejected": Faults(reject_config=True),
    }
)
"""Faults that a call recovers from in a second or two, without losing a word.

- "none": no fault, for tests that iterate over all names.
- "refused once", "unavailable once", "too many streams once": the first handshake fails, by a TCP reset, by the status
  503, or by 429 with `Retry-After: 1`.
- "slow handshake": each handshake takes half a second.
- "connection reset", "server restarts", "server error": the first connection is lost after 0.8 s of audio, by a TCP
  reset, or by a close frame with the code 1012 or 1011.
- "closed while idle": the server closes the first connection with 1001 before any audio, as it does with an idle one.
- "garbage": the server sends invalid frames after 0.8 s of audio.
- "config rejected": the server rejects each change of options on an open connection.
"""

LASTING_FAULTS: Mapping[str, FaultPlan] = MappingProxyType(
    {
        "refused": Faults(refuse=True),
        "unavailable": Faults(status=503),
        "wrong key": Faults(status=401),
    }
)
"""Faults that last: every handshake fails, by a TCP reset, by the status 503, or by 401.

The plugin gives up at once after 401, and after its `outage_timeout` with the others: pass a short one to the STT.
"""


def fault(name: str) -> FaultPlan:
    """The fault of this name, for `ScriptedServer(faults=...)` or `server.faults`.

    Raises:
        ValueError: no fault has this name; the text lists them.
    """
    faults = {**PASSING_FAULTS, **LASTING_FAULTS}
    if name not in faults:
        raise ValueError(f"{name!r} is not the name of a fault: it must be one of {', '.join(faults)}")
    return faults[name]

"""Which defaults the server goes by for turn settings that are not given, as far as its refusals tell.

The server does not say. But thresholds must be in order, and the server compares a given one with its defaults for the
others, so what it takes and refuses reveals these defaults. Each trial is a handshake without audio.
"""

from __future__ import annotations

from ..errors import ServerError
from ..wire.messages import TurnSettings
from ..wire.options import in_order, merge
from ..wire.vendor import TURN_DEFAULTS, TURN_RANGES, Known, as_of
from .calls import Call, Server
from .verdict import Verdict, ok, skipped, warning

NAME = "thresholds"
TRIALS = (
    TurnSettings(end_threshold=0.5),
    TurnSettings(eager_end_threshold=0.3),
    TurnSettings(eager_end_threshold=0.7),
)
"""What is asked for, one after the other. The known defaults and ranges differ in which of these they allow."""
ADVICE = (
    "Pass all three thresholds and turn_end_timeout_ms to the STT, so that nothing depends on the server's defaults."
)


async def check(server: Server) -> Verdict:
    """Tries settings that fit only some defaults."""
    taken = []
    for trial in TRIALS:
        is_taken = await _is_taken(server, trial)
        if is_taken is None:
            return skipped(NAME, "It could not be tested: a connection failed for another reason than its settings.")
        taken.append(is_taken)
    return judge(taken)


def judge(taken: list[bool]) -> Verdict:
    """What the outcomes of the trials say."""
    if all(taken):
        return skipped(
            NAME, "The server accepts thresholds that are out of order, so its defaults can't be determined.", ADVICE
        )
    fitting = next((known for known in TURN_DEFAULTS if expected(known) == taken), None)
    if fitting is None:
        what = "The server's defaults for turn settings, or the values that it accepts, are not known."
        return warning(NAME, what, ADVICE)
    what = f"The server seems to use the defaults of {fitting.since}: {_listed(fitting.value)}."
    if fitting is not TURN_DEFAULTS[0]:
        return warning(NAME, f"{what} The newest known ones are those of {TURN_DEFAULTS[0].since}.", ADVICE)
    return ok(NAME, what)


def expected(known: Known[TurnSettings]) -> list[bool]:
    """Which of the trials a server with these defaults takes."""
    ranges = as_of(TURN_RANGES, known.since).value
    return [
        in_order(merge(known.value, trial))
        and all(value in ranges[name] for name in ranges if (value := getattr(trial, name)) is not None)
        for trial in TRIALS
    ]


def _listed(turn: TurnSettings) -> str:
    return ", ".join(f"turn_{name}={getattr(turn, name)}" for name in TurnSettings.__slots__)


async def _is_taken(server: Server, trial: TurnSettings) -> bool | None:
    """Whether the server opens a call with these settings; None where that can't be told."""
    given = {f"turn_{name}": value for name in TurnSettings.__slots__ if (value := getattr(trial, name)) is not None}
    async with Call(server.stt(**given), server.timeout_s) as call:
        if await call.connect():
            return True
        return False if isinstance(call.trouble, ServerError) and call.trouble.status_code in (400, 422) else None

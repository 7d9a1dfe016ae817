"""Turn settings for what the agent just asked."""

from __future__ import annotations

from .wire.checks import shown
from .wire.messages import TurnSettings
from .wire.options import whole

PROFILES: dict[str, TurnSettings] = {
    "yes_no": TurnSettings(eager_end_threshold=0.55, end_threshold=0.4, end_timeout_ms=1200),
    "digits": TurnSettings(eager_end_threshold=0.3, end_threshold=0.08, end_timeout_ms=8000),
    "open": TurnSettings(eager_end_threshold=0.35, end_threshold=0.12, end_timeout_ms=7000),
}
"""`yes_no` ends a turn early, `digits` bears the pauses within a number, `open` those of somebody who thinks aloud."""


def profile(name: str | None, settings: dict[str, float]) -> TurnSettings:
    """A named profile, changed by single settings.

    Args:
        name: one of PROFILES; None starts from the settings in force.
        settings: fields of TurnSettings: start_threshold, eager_end_threshold, end_threshold, end_timeout_ms.

    Raises:
        ValueError: there is no such profile or setting.
    """
    if name is not None and (not isinstance(name, str) or name not in PROFILES):
        raise ValueError(f"profile={shown(name)} is not known: it must be one of {', '.join(PROFILES)}")
    unknown = set(settings) - set(TurnSettings.__slots__)
    if unknown:
        raise ValueError(f"{min(unknown)} is not a turn setting: they are {', '.join(TurnSettings.__slots__)}")
    base = PROFILES[name] if name else TurnSettings()
    start, eager_end, end, timeout_ms = (settings.get(field, getattr(base, field)) for field in TurnSettings.__slots__)
    return TurnSettings(start, eager_end, end, whole(timeout_ms))

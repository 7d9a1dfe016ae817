"""Tables of the documentation, drawn from the vendor's numbers. `python -m tools.tables` in tests/ prints them."""

from __future__ import annotations

from dataclasses import astuple

from livekit.plugins.cartesia_turns.wire.messages import TurnSettings
from livekit.plugins.cartesia_turns.wire.vendor import MODELS, PLAN_STREAMS, PRESETS, TURN_DEFAULTS, TURN_RANGES, Model


def table(*rows: tuple[str, ...]) -> str:
    """A table in Markdown; the first row is its head."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def turn_settings_table() -> str:
    """What was known of each turn setting, and when."""
    head = ["setting"]
    for defaults, ranges in zip(TURN_DEFAULTS, TURN_RANGES, strict=True):
        assert defaults.since == ranges.since
        head += [f"default since {defaults.since}", "range"]
    rows = []
    for name in TURN_RANGES[0].value:
        row = [f"`turn_{name}`"]
        for defaults, ranges in zip(TURN_DEFAULTS, TURN_RANGES, strict=True):
            row += [str(getattr(defaults.value, name)), str(ranges.value[name])]
        rows.append(tuple(row))
    return table(tuple(head), *rows)


def presets_table() -> str:
    """The vendor's named settings."""
    head = ("preset", *(f"`turn_{name}`" for name in TurnSettings.__slots__))
    values = ((name, *map(str, astuple(preset))) for name, preset in PRESETS.value.items())
    return table(head, *values)


def models_table() -> str:
    """The models, their languages, and what else differs."""
    return table(("model", "languages", "`language_hints`"), *(_model(model) for model in MODELS.values()))


def plans() -> str:
    """How many sockets each plan has."""
    return ", ".join(f"{streams} with {plan}" for plan, streams in PLAN_STREAMS.value.items())


def _model(model: Model) -> tuple[str, str, str]:
    newest, *earlier = model.languages
    languages = f"{len(newest.value)}: {' '.join(newest.value)} ({newest.since})"
    for known in earlier:
        languages += f"; before that {' '.join(known.value)} ({known.since})"
    return f"`{model.name}`", languages, f"{'yes' if model.takes_hints else 'no'} ({model.since})"


if __name__ == "__main__":
    print(turn_settings_table(), presets_table(), models_table(), sep="\n\n")

"""The table of a turn is complete: each message and each incident is foreseen in each state."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest
from livekit.plugins.cartesia_turns.core.transitions import IGNORED, TRANSITIONS, Action, Incident, State
from livekit.plugins.cartesia_turns.wire.messages import TurnMessage


@pytest.mark.parametrize(("state", "step"), list(itertools.product(State, [*get_args(TurnMessage), *Incident])))
def test_every_pair_of_state_and_step_is_in_the_table_or_ignored(
    state: State, step: type[TurnMessage] | Incident
) -> None:
    assert ((state, step) in TRANSITIONS) != ((state, step) in IGNORED)


def test_every_action_is_used_and_no_message_leads_to_resuming() -> None:
    assert {action for _, actions in TRANSITIONS.values() for action in actions} == set(Action)
    by_messages = {target for (_, step), (target, _) in TRANSITIONS.items() if not isinstance(step, Incident)}
    assert State.RESUMING not in by_messages

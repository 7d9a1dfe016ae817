"""The server's side of a turn: takes the likelihood that the user is in a turn, and gives wire messages.

Pure: no audio, no recognizer, no clock. Time is the duration of what was heard, in seconds of audio.

    Idle --turn.start--> Speaking --turn.eager_end--> EagerEnded --turn.resume--> Speaking
    Speaking --turn.end--> Idle        EagerEnded --turn.end--> Idle
"""

from __future__ import annotations

import math
from enum import Enum

from ..wire.messages import (
    DetectedLanguage,
    TurnEagerEnd,
    TurnEnd,
    TurnMessage,
    TurnResume,
    TurnSettings,
    TurnStart,
    TurnUpdate,
)
from ..wire.options import complete, merge
from .vendor import Vendor, in_order


class TurnState(Enum):
    """Where the turn stands."""

    IDLE = "Idle"
    SPEAKING = "Speaking"
    EAGER_ENDED = "EagerEnded"


class TurnLikelihood:
    """Smooths the probability of speech (0-1) into the likelihood (0-1) that the user is in a turn.

    It rises fast, so that a word soon starts a turn and a click does not. It falls slowly, so that a pause within a
    sentence does not end the turn: at today's default thresholds silence leads to turn.eager_end after 0.21 s and to
    turn.end after 0.51 s, at those of May 2026 after 0.38 s and 0.68 s. The vendor's turns end about half a second
    after speech (field reports, read 2026-11-25).
    """

    RISE_S = 0.08
    FALL_S = 0.42

    def __init__(self) -> None:
        self.value: float = 0.0

    def step(self, speech: float, duration_s: float) -> float:
        """Takes the probability of speech in the next `duration_s` seconds; returns the likelihood after them."""
        time_constant_s = self.RISE_S if speech > self.value else self.FALL_S
        self.value += (speech - self.value) * (1 - math.exp(-duration_s / time_constant_s))
        return self.value


class Dialogue:
    """One socket's turns. Each has a `turn_id` of its own.

    Args:
        settings: what differs from the vendor's defaults of today.
        request_id: identifies the socket in each message.
        languages: what each turn.end says of the languages that were heard.

    Raises:
        ValueError: the thresholds are out of order.
    """

    def __init__(self, settings: TurnSettings, request_id: str, languages: tuple[DetectedLanguage, ...] = ()) -> None:
        self._request_id = request_id
        self._languages = languages
        self._turns = 0
        self._settings = Vendor().turn_defaults
        self._state = TurnState.IDLE
        self._silence_s = 0.0
        self._transcript = ""
        self.configure(settings)

    @property
    def state(self) -> TurnState:
        """Where the turn stands."""
        return self._state

    @property
    def settings(self) -> TurnSettings:
        """The settings in force; none of them is None."""
        return self._settings

    def configure(self, settings: TurnSettings) -> None:
        """Changes the settings that are given, from the next step on.

        Raises:
            ValueError: together with those in force the thresholds are out of order; nothing changed.
        """
        self._settings = in_order(merge(self._settings, settings))
        self._in_force = complete(self._settings)

    def needs_whole_text(self, likelihood: float, duration_s: float) -> bool:
        """Whether `step` with these arguments would eager-end or end the turn.

        Those messages carry all that was said, so the caller transcribes what it has heard before it takes that step.
        """
        after = self._next_state(likelihood, self._silence_after(likelihood, duration_s))
        return after is not self._state and self._state is not TurnState.IDLE and after is not TurnState.SPEAKING

    def step(self, likelihood: float, duration_s: float, transcript: str | None = None) -> list[TurnMessage]:
        """Takes the next `duration_s` seconds of audio.

        Args:
            likelihood: that the user is in a turn, 0-1.
            duration_s: how much audio it stands for, in seconds.
            transcript: all the text of this turn if there is a new one, else None. It only grows.

        Raises:
            ValueError: the transcript does not continue what was sent; nothing changed.
        """
        self._check_grows(transcript)
        silence_s = self._silence_after(likelihood, duration_s)
        before, after = self._state, self._next_state(likelihood, silence_s)
        self._silence_s = silence_s
        self._state = after
        return self._messages(before, after, transcript)

    def close(self, transcript: str | None = None) -> list[TurnMessage]:
        """Ends the turn that is open, if one is: the client asked for everything.

        Raises:
            ValueError: the transcript does not continue what was sent; nothing changed.
        """
        self._check_grows(transcript)
        before, self._state = self._state, TurnState.IDLE
        return self._messages(before, TurnState.IDLE, transcript)

    def _silence_after(self, likelihood: float, duration_s: float) -> float:
        # A likelihood too low to start a turn counts as silence, so that the timeout runs where it hangs in the middle.
        return 0.0 if likelihood > self._in_force.start_threshold else self._silence_s + duration_s

    def _next_state(self, likelihood: float, silence_s: float) -> TurnState:
        settings = self._in_force
        if likelihood > settings.start_threshold:
            return TurnState.SPEAKING
        if self._state is TurnState.IDLE or likelihood < settings.end_threshold:
            return TurnState.IDLE
        if silence_s >= settings.end_timeout_ms / 1000:
            return TurnState.IDLE
        if likelihood < settings.eager_end_threshold:
            return TurnState.EAGER_ENDED
        return self._state

    def _messages(self, before: TurnState, after: TurnState, transcript: str | None) -> list[TurnMessage]:
        if before is TurnState.IDLE:
            return self._start() if after is TurnState.SPEAKING else []
        if transcript is not None:
            self._transcript = transcript
        if after is TurnState.IDLE:
            return [TurnEnd(self._request_id, self._transcript, self._turn_id, self._languages)]
        if after is not before:
            return [self._pause_or_resume(after)]
        if transcript is not None and after is TurnState.SPEAKING:
            return [TurnUpdate(self._request_id, self._transcript, self._turn_id)]
        return []

    @property
    def _turn_id(self) -> str:
        return turn_id(self._request_id, self._turns)

    def _start(self) -> list[TurnMessage]:
        self._turns += 1
        self._transcript = ""
        return [TurnStart(self._request_id, self._turn_id)]

    def _pause_or_resume(self, after: TurnState) -> TurnMessage:
        if after is TurnState.EAGER_ENDED:
            return TurnEagerEnd(self._request_id, self._transcript, self._turn_id)
        return TurnResume(self._request_id, self._turn_id)

    def _check_grows(self, transcript: str | None) -> None:
        if self._state is TurnState.IDLE or transcript is None:
            return
        if not transcript.startswith(self._transcript):
            raise ValueError("transcript must continue what was sent: the protocol never revises text")


def turn_id(request_id: str, number: int) -> str:
    """The id of a socket's turn, which is in all messages of that turn; the first turn has number 1."""
    return f"{request_id}.{number}"

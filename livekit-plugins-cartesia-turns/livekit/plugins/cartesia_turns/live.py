"""The options of an STT as they change in the course of calls: the user's, the session's keyterms, profiles on top."""

from __future__ import annotations

from dataclasses import replace

from .messages import TurnSettings
from .options import Options, fitting_keyterms, merge


class LiveOptions:
    """What the next connection is opened with.

    Args:
        base: the user's options.
    """

    def __init__(self, base: Options) -> None:
        self._base = base
        self._profiles: list[TurnSettings] = []
        self.session_keyterms: tuple[str, ...] = ()
        """Terms that join the user's."""

    @property
    def base(self) -> Options:
        """The user's options."""
        return self._base

    @property
    def current(self) -> Options:
        """All together. Keyterms are without repetitions, as far as the server's limits go."""
        keyterms, _ = self._keyterms()
        return replace(self._base, turn=self._turn(self._base), keyterms=keyterms)

    @property
    def keyterms_left_out(self) -> int:
        """How many keyterms are over the server's limits."""
        return self._keyterms()[1]

    def change(self, turn: TurnSettings, keyterms: tuple[str, ...], language_hints: tuple[str, ...] = ()) -> None:
        """Changes the user's options.

        Raises:
            ValueError: a value is out of range, or does not fit a profile in force. Nothing is changed then.
        """
        turn = merge(self._base.turn, turn)
        changed = replace(self._base, turn=turn, keyterms=keyterms, language_hints=language_hints)
        replace(changed, turn=self._turn(changed))
        self._base = changed

    def push(self, profile: TurnSettings) -> None:
        """Puts a profile on top.

        Raises:
            ValueError: it does not fit what is in force. Nothing is changed then.
        """
        replace(self._base, turn=merge(self._turn(self._base), profile))
        self._profiles.append(profile)

    def remove(self, profile: TurnSettings) -> None:
        """Takes a profile away."""
        self._profiles.remove(profile)

    def _turn(self, base: Options) -> TurnSettings:
        turn = base.turn
        for profile in self._profiles:
            turn = merge(turn, profile)
        return turn

    def _keyterms(self) -> tuple[tuple[str, ...], int]:
        return fitting_keyterms((*self._base.keyterms, *self.session_keyterms))

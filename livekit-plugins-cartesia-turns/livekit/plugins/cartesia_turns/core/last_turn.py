"""The turn that was told last, as far as a replay may bring it again."""

from __future__ import annotations


class LastTurn:
    """Which text a replay may repeat, although the turn was told: its audio may reach into the audio that is held."""

    def __init__(self) -> None:
        self._held_to = 0
        self._text, self._is_whole = "", False

    def told(self, text: str, held_to: int | None, *, is_whole: bool) -> None:
        """A turn with this text was told.

        Args:
            text: its text.
            held_to: the position up to which the audio that is held may belong to it; None if none of it does.
            is_whole: that audio may be all of the turn.
        """
        self._text, self._held_to, self._is_whole = text, held_to or 0, is_whole

    def is_gone(self, begins: int) -> bool:
        """No audio of it is held, since the audio that is held begins at this position."""
        return begins >= self._held_to

    def echo(self, begins: int) -> tuple[str, bool]:
        """What a replay from this position on may repeat of it, as the arguments of `Turn.expect_echo`."""
        return "" if self.is_gone(begins) else self._text, self._is_whole

"""The end of the input: which end of a socket is the end of the call."""

from __future__ import annotations

from .link import HangUp, Link

MOST_LOST_ENDS = 2
"""How many sockets are replaced that are lost after the end of the input while no turn is open."""


class InputEnd:
    """Whether more audio may come, and whether the server has answered all of it."""

    def __init__(self) -> None:
        self.has_come: bool = False
        """No more audio comes."""
        self.is_answered: bool = False
        """The server has answered all audio, or is not asked any more."""
        self._doubtful = 0

    def socket_ended(self, link: Link, *, clean: bool, in_turn: bool, has_voice: bool) -> None:
        """A socket has ended. Decides whether that answers all audio, if it was asked to finish.

        Args:
            link: the socket.
            clean: the server closed it in the ordinary way, and does not go away.
            in_turn: a turn is open.
            has_voice: somebody may speak in the audio that is held.
        """
        if link.close_sent:
            self.is_answered = self._is_answered(link, clean=clean, in_turn=in_turn, has_voice=has_voice)

    def _is_answered(self, link: Link, *, clean: bool, in_turn: bool, has_voice: bool) -> bool:
        all_told = link.has_finished or not has_voice
        if link.hang_up is HangUp.DRAINED or (clean and not in_turn and all_told):
            return True
        if in_turn and not clean:
            return False
        # The server may not have finished: a clean close in mid-turn, or without an event for the speech that was sent,
        # may come from a server that restarts. A socket that is lost while no turn is open may be its way to close.
        # So what is left is sent again on the next socket, a few times at most.
        self._doubtful += 1
        return self._doubtful > (1 if clean else MOST_LOST_ENDS)

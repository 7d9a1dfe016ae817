"""The audio on its way to the server: measured, kept for a replay, counted when sent, and related to the words.

All times are monotonic seconds.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from .audio_queue import ROOM_AFTER_OVERFLOW, ReplayBuffer
from .chunk import ONSET_S, Chunk, Pieces, Stretch
from .chunking import Chunker
from .settling import SERVER_LAG_S, Receipts, Settling
from .speech import Activity
from .stats import AudioCounts
from .words import Marks

SILENCE_S = 0.1
"""The longest piece of silence that is sent in place of audio."""
USAGE_EVERY_S = 5.0
UNHEARD_S = 5.0
"""Voice that was sent at most this long ago may still start a turn, at a server that is far behind."""
PRE_ROLL_S = 1.0
"""The pre-roll: audio kept while no turn is open, since turn.start comes after the onset of speech."""


class Feed:
    """A stream's audio: the user's, and the silence that is sent in its place.

    Args:
        sample_rate: of the audio, in Hz; it is signed 16-bit little-endian mono.
        limit_s: how much audio is kept at most, in seconds.
        now: the present.
    """

    def __init__(self, sample_rate: int, limit_s: float, now: float) -> None:
        self._sample_rate = sample_rate
        self._chunker = Chunker(sample_rate)
        self._onset = round(ONSET_S * sample_rate)
        doubted = ROOM_AFTER_OVERFLOW * limit_s * sample_rate
        self._doubted = round(doubted) if math.isfinite(doubted) else sys.maxsize
        self._sent = self._silent = self._replayed = self._unreported = 0
        self._usage_at = now + USAGE_EVERY_S
        self._overflow_told = False
        self._marks = Marks()
        self._keep_silence_to = 0
        self.pushed_s: float = 0.0
        """Seconds of the user's last piece of audio: in an even stream the next piece comes after that time."""
        self.buffer: ReplayBuffer = ReplayBuffer(limit_s, sample_rate)
        """The audio kept for a replay, and the backlog."""
        self.settling: Settling = Settling(sample_rate)
        """Decides which audio the end of a turn settles."""
        self.activity: Activity = self._chunker.activity
        """When there was voice in the user's audio."""

    def usage_at(self, live: int = 0) -> float:
        """When usage is to be reported; inf if there is none. `live` is as for `text_known`."""
        return self._usage_at if self._unreported or live else math.inf

    def push(self, pcm: bytes, now: float) -> bool:
        """Takes the user's audio, of any length.

        Returns:
            Whether an overflow has begun: audio was lost for the first time since `flows`.
        """
        buffer = self.buffer
        lost_s = buffer.lost_s
        if buffer.has_backlog:
            # The user's audio was late and not gone, so silence in its place that was not sent yet is removed.
            buffer.drop_waiting_silence(self._keep_silence_to)
        self.pushed_s = len(pcm) / 2 / self._sample_rate
        for chunk, stretches in self._chunker.cut(pcm, now):
            self._append(chunk, stretches)
        return buffer.lost_s > lost_s and self._is_first_loss(lost_s)

    def push_sent(self, pieces: Pieces) -> list[Chunk | Stretch]:
        """Takes the user's audio that the socket was given already. There must be no backlog.

        Args:
            pieces: as for `Chunker.joined`.

        Returns:
            Its stretches with and without voice, a chunk where that is one stretch.
        """
        sent: list[Chunk | Stretch] = []
        for chunk, stretches in self._chunker.joined(pieces):
            self._append(chunk, stretches)
            sent += stretches or [chunk]
        piece = len(pieces.pcm[0]) // 2
        samples = piece * len(pieces.pcm)
        self.pushed_s = piece / self._sample_rate
        self._unreported += samples
        self._sent += samples
        return sent

    def rewind(self) -> bool:
        """Has all audio that is held sent again, on a new socket.

        Returns:
            As `push`: audio that was dropped after it was sent counts as lost now, since no replay can bring it.
        """
        lost_s = self.buffer.lost_s
        self.buffer.rewind()
        return self._is_first_loss(lost_s)

    def push_silence(self, seconds: float, *, for_good: bool = False) -> float:
        """Appends silence to the audio, in whole samples.

        Args:
            seconds: how much.
            for_good: it is sent even if the user's audio comes before the silence could go out.

        Returns:
            How many seconds were appended.
        """
        samples, size = round(seconds * self._sample_rate), round(SILENCE_S * self._sample_rate)
        for start in range(0, samples, size):
            count = min(size, samples - start)
            # It is appended in pieces, so that the pacer can send it at the pace of a backlog.
            piece_s = count / self._sample_rate
            self.buffer.append(Chunk(bytes(2 * count), piece_s, voiced=False, droppable=True, injected=True))
        if for_good:
            self._keep_silence_to = self.buffer.ends
        return samples / self._sample_rate

    def flows(self) -> None:
        """The server has said something, so an overflow after this counts as a new one."""
        self._overflow_told = False

    def sent(self, chunk: Chunk, now: float) -> None:
        """The socket has taken a chunk of the buffer."""
        again = self.buffer.advance(chunk, now)
        self._unreported += chunk.samples
        self._sent += chunk.samples
        self._silent += chunk.samples * chunk.injected
        self._replayed += chunk.samples * again

    def text_known(self, length: int, live: int = 0) -> None:
        """The open turn has more text by now, all of it from audio that was sent.

        Args:
            length: how many characters the text has; 0 without a text.
            live: how many samples of live audio were sent that are not in the buffer yet.
        """
        if length:
            self._marks.note(self.buffer.sent_to + live, length)
        else:
            self._marks.clear()

    def text_gone(self) -> int:
        """How many characters of the open turn no replay can bring back, since their audio is no longer held."""
        return self._marks.length_before(self.buffer.begins)

    @property
    def text_end(self) -> int:
        """How far audio had been sent when the last text became known, in samples since the first audio."""
        return self._marks.end

    def turn_started(self, receipts: Receipts, now: float, *, finishing: bool = False) -> None:
        """The server said that a turn has started; the arguments are those of `settle`."""
        heard = receipts.heard(now, self.buffer.sent_by)
        unworked = receipts.unworked(now, heard)
        self.settling.turn_started(heard, self.buffer.runs, unworked=unworked, finishing=finishing)

    def settle(self, receipts: Receipts, now: float, *, finishing: bool = False) -> int | None:
        """The server ended a turn: its audio is settled and no longer kept for a replay.

        Args:
            receipts: what the server has received.
            now: the present.
            finishing: the server was asked to finish. If it has all audio, no turn can have begun behind this one.

        Returns:
            The position up to which the audio that is still kept may belong to the turn; None if none of it does.
        """
        self._marks.clear()
        heard = receipts.heard(now, self.buffer.sent_by)
        unworked, at_once = receipts.unworked(now, heard), receipts.at_once(now, heard, self.buffer.sent_by)
        settled = self.settling.turn_ended(heard, self.buffer.runs, unworked=unworked, at_once=at_once)
        is_last = finishing and heard >= self.buffer.sent_to and not settled.in_doubt
        self.buffer.settle(heard if is_last else settled.position)
        # A server that is asked to finish inside a word ends the turn there, so the tail may belong to that word.
        return heard if settled.in_doubt or (finishing and not is_last) else None

    def forget_idle(self, received: int, sent_at: float, *, is_in_doubt: bool = False) -> None:
        """Forgets audio in which no turn began.

        Args:
            received: the position up to which the server has the audio. Live audio that is not booked yet counts only
                once it is.
            sent_at: that audio had been sent by this time, monotonic seconds.
            is_in_doubt: the server has not ended a turn that it began, and may be deaf by now. As in an open turn, the
                audio that it was sent is kept for another server, as far as there is room.
        """
        before = min(received, self.buffer.ends) - round(SERVER_LAG_S * self._sample_rate)
        if is_in_doubt:
            self.buffer.forget_heard(before - self._doubted)
        else:
            self.buffer.forget_idle(PRE_ROLL_S, before, self.buffer.sent_by(sent_at - SERVER_LAG_S - UNHEARD_S))

    def take_usage(self, now: float) -> float:
        """Seconds of audio sent since the last call."""
        samples, self._unreported = self._unreported, 0
        self._usage_at = now + USAGE_EVERY_S
        return samples / self._sample_rate

    def counts(self, live: int = 0) -> AudioCounts:
        """The counters of the audio; `live` as for `text_known`."""
        return {
            "sent_s": (self._sent + live) / self._sample_rate,
            "silent_s": self._silent / self._sample_rate,
            "replayed_s": self._replayed / self._sample_rate,
            "lost_s": self.buffer.lost_s,
            "backlog_s": self.buffer.backlog_s,
            "held_s": self.buffer.held_s + live / self._sample_rate,
        }

    def _is_first_loss(self, before_s: float) -> bool:
        if self.buffer.lost_s == before_s or self._overflow_told:
            return False
        self._overflow_told = True
        return True

    def _append(self, chunk: Chunk, stretches: Sequence[Stretch]) -> None:
        if chunk.voiced:
            # The onset is marked before the piece is appended, since appending it may drop audio over the limit.
            chunk.is_onset = True
            self.buffer.keep_onset(self._onset)
        self.buffer.append(chunk, stretches)

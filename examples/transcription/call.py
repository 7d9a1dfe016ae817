"""What was said in a call, turn by turn: built from the plugin's SpeechEvents, with every time in seconds of audio."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from statistics import median

from livekit.agents.stt import SpeechEvent, SpeechEventType


class Clock:
    """Tells which second of the audio was being spoken at a moment of the wall clock.

    Audio that is not live goes out faster than anyone speaks, so the two clocks have nothing to do with each other, and
    every position is None.
    """

    def __init__(self, *, is_live: bool = True) -> None:
        self.is_live = is_live
        """Whether audio comes in real time, so that it can't wait. At another speed the plugin could not tell when
        somebody spoke, and the delays of the server and the network would not be what they are in a call."""
        self._started_at = 0.0

    def start(self, wall: float) -> None:
        """Notes that the audio begins now; `wall` is what `time.time()` says."""
        self._started_at = wall

    def position(self, wall: float | None) -> float | None:
        if wall is None or not self.is_live:
            return None
        return max(0.0, wall - self._started_at)

    def wall(self, position_s: float) -> float:
        """When this second of audio is due: at once, where it is not live."""
        return self._started_at + (position_s if self.is_live else 0.0)


class State(Enum):
    SPEAKING = "speaking"
    MAYBE_DONE = "maybe done"
    DONE = "done"


@dataclass
class Turn:
    """One turn of the user. Times are seconds of audio, or None where the audio is sent without pacing."""

    number: int
    started_s: float | None
    state: State = State.SPEAKING
    text: str = ""
    speech_start_s: float | None = None
    speech_end_s: float | None = None
    ended_s: float | None = None
    updates_s: list[float | None] = field(default_factory=list)
    eager_ends_s: list[float | None] = field(default_factory=list)
    resumes_s: list[float | None] = field(default_factory=list)

    @property
    def words(self) -> int:
        return len(self.text.split())

    @property
    def began_s(self) -> float | None:
        """When speech began; when the turn was noticed, where that is not known."""
        return self.started_s if self.speech_start_s is None else self.speech_start_s

    @property
    def delay_s(self) -> float | None:
        """From the end of speech to the final transcript."""
        return _difference(self.ended_s, self.speech_end_s)

    @property
    def eager_lead_s(self) -> float | None:
        """How long before the final transcript the last eager end came: the time a speculative reply gains."""
        return _difference(self.ended_s, self.eager_ends_s[-1]) if self.eager_ends_s else None


@dataclass(frozen=True)
class Moment:
    """One thing to show: a SpeechEvent, or the resume that a SpeechEvent implies."""

    type: str
    at_s: float | None
    text: str
    turn: Turn | None


RESUME = "turn_resume"
START = SpeechEventType.START_OF_SPEECH.value
INTERIM = SpeechEventType.INTERIM_TRANSCRIPT.value
EAGER_END = SpeechEventType.PREFLIGHT_TRANSCRIPT.value
FINAL = SpeechEventType.FINAL_TRANSCRIPT.value
END = SpeechEventType.END_OF_SPEECH.value


class Call:
    """Folds SpeechEvents into turns."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._turns: list[Turn] = []

    @property
    def turns(self) -> list[Turn]:
        """The turns in which something was said."""
        return [turn for turn in self._turns if turn.text]

    def add(self, event: SpeechEvent) -> list[Moment]:
        """Takes one event, in order, and tells what there is to show."""
        at_s = self._clock.position(event.created_at)
        text = event.alternatives[0].text if event.alternatives else ""
        if event.type is SpeechEventType.RECOGNITION_USAGE:
            return [Moment(event.type.value, at_s, text, None)]
        turn = self._turn(event, at_s)
        types = [event.type.value]
        if event.type is SpeechEventType.INTERIM_TRANSCRIPT and turn.state is State.MAYBE_DONE:
            types.insert(0, RESUME)
        for type_ in types:
            _apply(turn, type_, at_s, text)
        return [Moment(type_, at_s, text, turn) for type_ in types]

    def _turn(self, event: SpeechEvent, at_s: float | None) -> Turn:
        over = self._turns and self._turns[-1].state is State.DONE and event.type is not SpeechEventType.END_OF_SPEECH
        if not self._turns or over:
            self._turns.append(Turn(len(self.turns) + 1, at_s))
        turn = self._turns[-1]
        if event.speech_start_time is not None:
            turn.speech_start_s = self._clock.position(event.speech_start_time)
        if event.speech_end_time is not None:
            turn.speech_end_s = self._clock.position(event.speech_end_time)
        return turn


def _apply(turn: Turn, type_: str, at_s: float | None, text: str) -> None:
    if type_ in (INTERIM, EAGER_END, FINAL):
        turn.text = text
        turn.state = State.MAYBE_DONE if type_ == EAGER_END else State.SPEAKING
    if type_ == INTERIM:
        turn.updates_s.append(at_s)
    elif type_ == EAGER_END:
        turn.eager_ends_s.append(at_s)
    elif type_ == RESUME:
        turn.resumes_s.append(at_s)
    elif type_ == FINAL:
        turn.ended_s = at_s
        turn.state = State.DONE
    elif type_ == END:
        turn.state = State.DONE


@dataclass(frozen=True)
class Summary:
    """A call in figures; a delay is None where none could be measured."""

    turns: int
    words: int
    audio_s: float
    silence_sent_s: float
    delay_s: float | None
    eager_lead_s: float | None


def summarize(turns: list[Turn], *, audio_s: float, silence_sent_s: float) -> Summary:
    """The figures of a call; delays are medians."""
    return Summary(
        turns=len(turns),
        words=sum(turn.words for turn in turns),
        audio_s=audio_s,
        silence_sent_s=silence_sent_s,
        delay_s=_median([turn.delay_s for turn in turns]),
        eager_lead_s=_median([turn.eager_lead_s for turn in turns]),
    )


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _difference(later: float | None, earlier: float | None) -> float | None:
    return None if later is None or earlier is None else later - earlier

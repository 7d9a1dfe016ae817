from livekit.plugins.cartesia_turns.server.pace import PaceLimit


def first_excess(limit: PaceLimit, pace: float, *, seconds: float = 60.0, frame_s: float = 0.02) -> float | None:
    """Seconds until audio at this pace is too much, None where it never is."""
    for count in range(round(seconds * pace / frame_s)):
        now_s = count * frame_s / pace
        if limit.exceeded_by(frame_s, now_s):
            return now_s
    return None


def test_audio_at_the_pace_or_slower_is_never_too_much() -> None:
    assert first_excess(PaceLimit(1.0, 0.1), 1.0) is None
    assert first_excess(PaceLimit(1.5, 0.1), 1.49) is None
    assert first_excess(PaceLimit(1.0, 0.1), 0.5) is None


def test_faster_audio_is_too_much_once_the_burst_is_used_up() -> None:
    after_s = first_excess(PaceLimit(1.5, 1.0), 2.0)
    assert after_s is not None
    assert 1.9 <= after_s <= 2.1


def test_a_burst_is_taken_at_once_up_to_its_length_and_again_when_time_has_passed() -> None:
    limit = PaceLimit(1.0, 1.0)
    assert not limit.exceeded_by(1.0, 0.0)
    assert not limit.exceeded_by(1.0, 1.0)
    assert limit.exceeded_by(0.1, 1.0)


def test_frames_that_add_up_to_the_burst_are_taken() -> None:
    limit = PaceLimit(1.0, 1.0)
    assert not any(limit.exceeded_by(0.02, 0.0) for _ in range(50))
    assert limit.exceeded_by(0.02, 0.0)


def test_silence_on_the_line_saves_nothing_up() -> None:
    limit = PaceLimit(1.0, 1.0)
    assert not limit.exceeded_by(0.5, 0.0)
    assert limit.exceeded_by(1.1, 100.0)

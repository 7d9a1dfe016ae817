from livekit.plugins.cartesia_turns.server import ConnectionRecord
from livekit.plugins.cartesia_turns.server import connection as module


def new(*, keeps_content: bool) -> ConnectionRecord:
    return ConnectionRecord("r", [], {}, 0.0, keeps_content=keeps_content)


def test_content_is_kept_only_where_it_is_asked_for() -> None:
    kept, counted = new(keeps_content=True), new(keeps_content=False)
    for record in (kept, counted):
        record.heard(b"pcm")
        record.commanded("{}")
        record.sent("{}")
        assert record.audio_bytes == 3
    assert (bytes(kept.audio), kept.commands, kept.messages) == (b"pcm", ["{}"], [(0.0, "{}")])
    assert (bytes(counted.audio), len(counted.commands), len(counted.messages)) == (b"", 0, 0)


def test_what_is_kept_is_bounded_and_what_is_counted_is_not() -> None:
    record = new(keeps_content=True)
    chunk = bytes(2**20)
    for _ in range(module.MAX_AUDIO_BYTES // len(chunk) + 2):
        record.heard(chunk + b"x")
    assert len(record.audio) == module.MAX_AUDIO_BYTES
    assert record.audio_bytes > module.MAX_AUDIO_BYTES
    for _ in range(module.MAX_MESSAGES + 1):
        record.sent("{}")
        record.commanded("{}")
    assert (len(record.messages), len(record.commands)) == (module.MAX_MESSAGES, module.MAX_MESSAGES)


def test_the_first_close_code_counts() -> None:
    record = new(keeps_content=False)
    record.closing(1011)
    record.closing(1000)
    assert record.close_code == 1011

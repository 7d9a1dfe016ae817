import asyncio

from livekit.plugins.cartesia_turns.server.inbox import FRAME_COST_BYTES, MAX_BYTES, Inbox


class Tap(asyncio.Transport):
    """A transport that can only be opened and shut."""

    def __init__(self) -> None:
        super().__init__()
        self.is_open = True

    def pause_reading(self) -> None:
        self.is_open = False

    def resume_reading(self) -> None:
        self.is_open = True


async def test_messages_come_out_as_they_went_in() -> None:
    inbox = Inbox(Tap())
    assert inbox.is_empty
    for frame in (b"pcm", "{}", b""):
        inbox.put(frame)
    assert [await inbox.get() for _ in range(3)] == [b"pcm", "{}", b""]
    assert inbox.is_empty


async def test_a_full_inbox_stops_the_reading_until_half_of_it_is_heard() -> None:
    tap = Tap()
    inbox = Inbox(tap)
    count = MAX_BYTES // 1000 + 1
    for _ in range(count):
        assert tap.is_open
        inbox.put(bytes(1000 - FRAME_COST_BYTES))
    assert not tap.is_open
    left = 0
    while not tap.is_open:
        await inbox.get()
        left += 1
    assert 0.5 * count <= left <= 0.51 * count


async def test_what_is_being_heard_counts_until_it_has_been() -> None:
    tap = Tap()
    inbox = Inbox(tap)
    inbox.put(bytes(MAX_BYTES))
    await inbox.get()
    assert not tap.is_open
    inbox.put(b"next")
    await inbox.get()
    assert tap.is_open


async def test_messages_without_content_count_too() -> None:
    tap = Tap()
    inbox = Inbox(tap)
    for _ in range(MAX_BYTES // FRAME_COST_BYTES + 1):
        inbox.put("")
    assert not tap.is_open


async def test_reading_that_the_websocket_resumed_is_stopped_again() -> None:
    tap = Tap()
    inbox = Inbox(tap)
    inbox.put(bytes(MAX_BYTES))
    tap.resume_reading()
    inbox.put(b"")
    assert not tap.is_open


async def test_an_inbox_that_nobody_hears_any_more_lets_the_rest_in() -> None:
    tap = Tap()
    inbox = Inbox(tap)
    inbox.put(bytes(MAX_BYTES))
    inbox.let_in()
    assert tap.is_open

import socket

import pytest
import synthetic
from livekit.plugins.cartesia_turns.messages import Connected, ErrorMessage, TurnStart
from livekit.plugins.cartesia_turns.server import Recognizer
from localserver import finals, kinds, server
from rawclient import connected, eventually


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ("hello", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"type": "flush"}', "must be config or close"),
        ('{"type": "config", "turn": {"end_threshold": 0.9}}', "turn_end_threshold=0.9"),
        ('{"type": "config", "turn": {"end_threshold": "low"}}', "not a number"),
    ],
)
async def test_a_bad_text_frame_gets_an_error_and_the_socket_is_closed(frame: str, said: str) -> None:
    async with server() as local, connected(local) as client:
        await client.socket.send_str(frame)
        error = (await client.rest())[-1]
        assert isinstance(error, ErrorMessage)
        assert said in error.message
        assert (error.status_code, error.request_id) == (400, local.connections[0].request_id)
        assert client.socket.close_code == 1008


async def test_a_quiet_socket_is_closed_as_idle_and_pings_do_not_keep_it() -> None:
    async with server(idle_timeout_s=0.2) as local, connected(local, heartbeat_s=0.05) as client:
        assert kinds(await client.rest()) == [Connected]
        assert client.socket.close_code == 1001


async def test_a_minute_in_one_burst_to_a_client_that_does_not_read_is_answered_in_full() -> None:
    audio = (synthetic.words(0, 3) + synthetic.silence(1.0)) * 30
    async with server() as local, connected(local) as client:
        await client.send(audio, frame_bytes=len(audio))
        await eventually(lambda: local.connections[0].audio_s >= len(audio) / 32000)
        assert finals(await client.close()) == [synthetic.text(0, 3)] * 30


async def test_a_client_that_vanishes_in_mid_turn_leaves_nothing_behind() -> None:
    async with server(recognizer=Recognizer(lambda: synthetic.detect, synthetic.transcribe)) as local:
        async with connected(local) as client:
            await client.send(synthetic.words(0, 30))
            await client.until(TurnStart)
            client.socket.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        await eventually(lambda: local.open_streams == 0)
        assert local.connections[0].close_code == 1006

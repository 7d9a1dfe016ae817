"""A relay for UDP on the loopback that spoils what it passes on: it loses packets, delays them, or goes dark."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TypeAlias

LARGEST = 65535

Address: TypeAlias = "tuple[str, int]"


@dataclass(frozen=True, slots=True)
class Weather:
    """How packets fare, in both directions."""

    loss: float = 0.0
    """The fraction that is lost, 0 to 1."""
    delay_s: tuple[float, float] = (0.0, 0.0)
    """The least and the most that a packet takes. Each takes its own time, so one may overtake another."""


FAIR = Weather()
DARK = Weather(loss=1.0)


class Way:
    """One direction of one flow: the same seed spoils the same packets."""

    def __init__(self, seed: str) -> None:
        self.passed = 0
        self.lost = 0
        self._chance = random.Random(seed)  # noqa: S311 - not for secrets

    def carry(self, weather: Weather, send: Callable[[], object]) -> None:
        loop, lot = asyncio.get_running_loop(), self._chance.random()
        delay_s = self._chance.uniform(*weather.delay_s)
        if lot < weather.loss:
            self.lost += 1
            return
        self.passed += 1
        if delay_s:
            loop.call_later(delay_s, send)
        else:
            send()


class Flow:
    """What passes between one client's socket and the server, by way of a socket of its own."""

    def __init__(self, client: Address, server: Address, *, spoilt: bool, seed: str) -> None:
        self.client = client
        self.spoilt = spoilt
        """Whether the weather is for this flow."""
        self.up, self.down = Way(f"{seed} up"), Way(f"{seed} down")
        self.upstream = udp_socket()
        self.upstream.connect(server)


class Relay:
    """Listens at 127.0.0.2 and passes on to the same port of 127.0.0.1, as an async context manager.

    A media server that listens at 127.0.0.1 and is told that its address is 127.0.0.2 is then reached by way of the
    relay: what it announces is its own port at that address. Linux answers at all of 127.0.0.0/8 by itself, macOS at
    127.0.0.1 alone until it is told of another address.

    Attributes:
        weather: What the spoilt flows go through from now on.
        flows: All that there have been, in the order in which they began.
        port: Where it listens, and the server should.
    """

    ADDRESS = "127.0.0.2"

    def __init__(
        self, *, spoils: Callable[[int], bool], seed: int = 1, address: str = ADDRESS, server_port: int = 0
    ) -> None:
        """Prepare a relay.

        Args:
            spoils: Whether the weather is for the flow of the client at this port.
            seed: Decides which packets are lost and how long they take.
            address: Where it listens.
            server_port: Where at 127.0.0.1 the server listens, if not at the relay's own port.
        """
        self.weather = FAIR
        self.flows: list[Flow] = []
        self.port = 0
        self._spoils, self._seed = spoils, seed
        self._address, self._server_port = address, server_port
        self._flow_of: dict[Address, Flow] = {}
        self._socket = udp_socket()

    async def __aenter__(self) -> Relay:
        self._socket.bind((self._address, 0))
        self.port = int(self._socket.getsockname()[1])
        asyncio.get_running_loop().add_reader(self._socket, self._from_client)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in (self._socket, *(flow.upstream for flow in self.flows)):
            asyncio.get_running_loop().remove_reader(end)
            end.close()

    @property
    def spoilt(self) -> list[Flow]:
        return [flow for flow in self.flows if flow.spoilt]

    def _from_client(self) -> None:
        packet, client = self._socket.recvfrom(LARGEST)
        flow = self._flow_of.get(client) or self._begin(client)
        flow.up.carry(self._weather_of(flow), lambda: send(packet, flow.upstream))

    def _from_server(self, flow: Flow) -> None:
        with contextlib.suppress(ConnectionRefusedError):  # the server is gone
            packet = flow.upstream.recv(LARGEST)
            flow.down.carry(self._weather_of(flow), lambda: send(packet, self._socket, flow.client))

    def _begin(self, client: Address) -> Flow:
        seed = f"{self._seed} {len(self.flows)}"
        server = ("127.0.0.1", self._server_port or self.port)
        flow = Flow(client, server, spoilt=self._spoils(client[1]), seed=seed)
        self.flows.append(flow)
        self._flow_of[client] = flow
        asyncio.get_running_loop().add_reader(flow.upstream, self._from_server, flow)
        return flow

    def _weather_of(self, flow: Flow) -> Weather:
        return self.weather if flow.spoilt else FAIR


def udp_socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


def send(packet: bytes, by: socket.socket, to: Address | None = None) -> None:
    """Send it, or lose it as a network would where that cannot be: the other side is gone, or the relay has ended."""
    with contextlib.suppress(OSError):
        if to is None:
            by.send(packet)
        else:
            by.sendto(packet, to)

import dataclasses
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from gateway.errors.kinds import Misconfigured
from gateway.stack.ports import Ports, claim
from tests.servers.process import held_port


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_every_zero_becomes_a_port_of_its_own(held: ExitStack) -> None:
    claimed = dataclasses.astuple(claim(held, Ports()))
    assert len(set(claimed)) == len(claimed)
    assert all(port > 1023 for port in claimed)


def test_a_wished_port_is_kept(held: ExitStack) -> None:
    with held_port() as nobody_listens:
        port = nobody_listens.getsockname()[1]
        assert claim(held, Ports(management=port)).management == port


def test_every_taken_port_is_named_with_its_use(held: ExitStack) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        ports = one.getsockname()[1], two.getsockname()[1]
        with pytest.raises(Misconfigured) as caught:
            claim(held, Ports(gateway=ports[0], metrics=ports[1]))
    assert f"{ports[0]} (gateway)" in str(caught.value)
    assert f"{ports[1]} (metrics)" in str(caught.value)


def test_a_port_is_not_wished_twice(held: ExitStack) -> None:
    with held_port() as nobody_listens:
        port = nobody_listens.getsockname()[1]
        with pytest.raises(Misconfigured, match="management"):
            claim(held, Ports(inference=port, management=port))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a port that is held is not free")
def test_what_is_claimed_is_nobody_else_s_and_free_for_whom_it_is_meant(held: ExitStack) -> None:
    port = claim(held, Ports()).metrics
    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", port))
    socket.create_server(("127.0.0.1", port)).close()  # reuses addresses

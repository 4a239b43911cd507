import dataclasses
import socket

import pytest

from gateway.errors.kinds import Misconfigured
from gateway.stack.ports import Ports, claim
from tests.servers.process import held_port


def test_every_zero_becomes_a_port_of_its_own() -> None:
    claimed = dataclasses.astuple(claim(Ports()))
    assert len(set(claimed)) == len(claimed)
    assert all(port > 1023 for port in claimed)


def test_a_wished_port_is_kept() -> None:
    with held_port() as nobody_listens:
        port = nobody_listens.getsockname()[1]
        assert claim(Ports(management=port)).management == port


def test_every_taken_port_is_named_with_its_use() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        ports = one.getsockname()[1], two.getsockname()[1]
        with pytest.raises(Misconfigured) as caught:
            claim(Ports(gateway=ports[0], metrics=ports[1]))
    assert f"{ports[0]} (gateway)" in str(caught.value)
    assert f"{ports[1]} (metrics)" in str(caught.value)

"""Which ports the stack listens on; all on loopback unless the gateway is told otherwise."""

import socket
from contextlib import ExitStack
from dataclasses import dataclass

from gateway.errors.kinds import Misconfigured

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """One port per listener; 0 asks for a free one."""

    gateway: int = 0
    inference: int = 0
    management: int = 0
    metrics: int = 0
    grpc_inference: int = 0
    grpc_management: int = 0
    stand_ins: int = 0


def claim(wished: Ports, gateway_host: str = _LOOPBACK) -> Ports:
    """Replace every 0 by a free port; raises Misconfigured naming the ports that are taken.

    The ports are free when this returns; nothing holds them until the listeners start.
    """
    names = Ports.__slots__
    with ExitStack() as held:
        found: dict[str, int] = {}
        taken: list[str] = []
        for name in names:
            host = gateway_host if name == "gateway" else _LOOPBACK
            try:
                found[name] = _hold(held, host, getattr(wished, name))
            except OSError as error:
                taken.append(f"{getattr(wished, name)} ({name}): {error.strerror}")
        if taken:
            raise Misconfigured(f"cannot listen on port {', '.join(taken)}")
        return Ports(**found)


def _hold(held: ExitStack, host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = held.enter_context(socket.socket(family, socket.SOCK_STREAM))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen()
    return int(listener.getsockname()[1])

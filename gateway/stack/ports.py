"""Which ports the stack listens on; all on loopback unless the gateway is told otherwise."""

import socket
import sys
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


def claim(held: ExitStack, wished: Ports, gateway_host: str = _LOOPBACK) -> Ports:
    """Replace every 0 by a free port; raises Misconfigured naming the ports that are taken.

    On Linux they are nobody else's until `held` is closed; who reuses addresses, as all listeners
    of the stack do, can listen to them meanwhile. Elsewhere nothing holds them.
    """
    found: dict[str, int] = {}
    taken: list[str] = []
    with ExitStack() as holding, ExitStack() as trying:
        for name in Ports.__slots__:
            host = gateway_host if name == "gateway" else _LOOPBACK
            port = getattr(wished, name)
            try:
                if sys.platform == "linux":
                    port = _bound(holding, host, port).getsockname()[1]
                listener = _bound(trying, host, port)
                listener.listen()
                found[name] = listener.getsockname()[1]
            except OSError as error:
                taken.append(f"{getattr(wished, name)} ({name}): {error.strerror}")
        if taken:
            raise Misconfigured(f"cannot listen on port {', '.join(taken)}")
        held.push(holding.pop_all())
    return Ports(**found)


def _bound(open_sockets: ExitStack, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = open_sockets.enter_context(socket.socket(family, socket.SOCK_STREAM))
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    return bound

"""Every test of an adapter may ask for TorchServe's, with a server to talk to."""

from tests.gateway.torchserve_pair import pair

__all__ = ["pair"]

"""What may go wrong with an engine elsewhere."""

from gateway.errors.codes import ErrorCode
from gateway.errors.kinds import GatewayError


class RemoteEngineFailed(GatewayError):
    """The remote engine does not answer, or not as it should; `details["reason"]` says which."""

    code = ErrorCode.REMOTE_ENGINE
    default_message = "The remote engine does not serve: try again later, or another engine."


class RemoteEngineAway(RemoteEngineFailed):
    """It certainly did not take what was asked: to ask again costs nothing."""

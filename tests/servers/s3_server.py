"""An S3 that a test may kill; it keeps its objects in its memory."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_hex

import httpx

from tests.servers.process import Server

_ROOT = Path(__file__).parents[2]
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}


class S3Server(Server):
    """Moto's server, for S3 alone."""

    def _command(self) -> Sequence[str | Path]:
        return [sys.executable, "-m", "tests.servers.s3_app", str(self.port)]

    def _environment(self) -> Mapping[str, str]:
        return {"PYTHONPATH": str(_ROOT), "MOTO_PORT": str(self.port)}

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


def create_bucket(endpoint: str) -> str:
    """A new, empty bucket; its name."""
    name = f"test-{token_hex(8)}"
    httpx.put(f"{endpoint}/{name}", timeout=30, trust_env=False).raise_for_status()
    return name

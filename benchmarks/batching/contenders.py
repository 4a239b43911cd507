"""Who is compared: one model each, all of one handler, and what differs between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from benchmarks import report

_SHIPPED: Final = report.ROOT / "config" / "idm_vton.yaml"
_QUEUE: Final = 4096  # nobody's latency is cut short by a full queue


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to batch.

    `batching` is TorchServe's part of it, beyond what is shipped; `joins_all` lets everybody step
    every turn; `keeps_deadlines` is told of them.
    """

    name: str
    title: str
    batching: Mapping[str, Any]
    joins_all: bool = False
    keeps_deadlines: bool = False

    def config(self, curve: str) -> dict[str, Any]:
        """Give the model's YAML: what is shipped for a stepping model, over an emulated device."""
        shipped = yaml.safe_load(_SHIPPED.read_text())
        torchserve = {key: one for key, one in shipped.items() if not isinstance(one, dict)}
        stepping = shipped["handler"]["stepping"]
        if self.joins_all:
            stepping = {**stepping, "max_batch": torchserve["batchSize"]}
        return {
            **torchserve,
            "jobQueueSize": _QUEUE,
            **self.batching,
            "handler": {
                "name": self.name,
                "version": "1.0.0",
                "settings": "benchmarks.batching.device:EmulatedSettings",
                "curve": curve,
                "told_curve": "free" if self.joins_all else curve,
                "stepping": stepping,
            },
            "tryon": _OFFER,
        }


_OFFER: Final[Mapping[str, Any]] = {
    "engine": "emulated",
    "categories": ["upper_body"],
    "options": ["category", "output_format", "steps"],
    "ranges": {"steps": [1, 100]},
    "defaults": {},
    "licence": "Apache-2.0",
    "commercial_use": True,
}


def _classic(size: int, delay_ms: int) -> dict[str, Any]:
    return {"continuousBatching": False, "batchSize": size, "maxBatchDelay": delay_ms}


CLASSIC: Final = Contender("classic", "classic, 4 or 2 s", _classic(4, 2000))
GREEDY: Final = Contender("greedy", "classic, 4 or at once", _classic(4, 1))
IN_ORDER: Final = Contender("in_order", "one by one", _classic(1, 1))
JOINED: Final = Contender("joined", "continuous, all join", {}, joins_all=True)
OURS: Final = Contender("ours", "ours", {}, keeps_deadlines=True)
ALL: Final = (CLASSIC, GREEDY, IN_ORDER, JOINED, OURS)

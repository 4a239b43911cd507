"""A stand-in for a TorchServe whose one model has several versions, each with faults of its own."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import count

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.gateway.torchserve_stand_in import Fault, StandIn

_pids = count(5000)


@dataclass
class Served:
    """A version: how it starts, and what it does with whatever it is asked."""

    archive: str
    starts: bool = True
    workers: int = 1
    waiting: int = 0
    fault: Fault = Fault.NONE
    settings: dict[str, str] = field(default_factory=dict)
    pid: int = field(default_factory=lambda: next(_pids))


@dataclass(repr=False)
class VersionsStandIn(StandIn):
    """Registers what it is told to; `wanting` are archives with the refusal of each.

    `cannot_start` are versions whose workers die as they load; those `loading` never get ready.
    """

    version: str = "1.0.0"
    versions: dict[str, Served] = field(default_factory=lambda: {"1.0.0": Served("geometric.mar")})
    wanting: dict[str, str] = field(default_factory=dict)
    cannot_start: set[str] = field(default_factory=set)
    loading: set[str] = field(default_factory=set)
    faulty: dict[str, Fault] = field(default_factory=dict)
    answered: Counter[str] = field(default_factory=Counter)
    commands: list[str] = field(default_factory=list)

    def _fault(self, version: str) -> Fault:
        served = self.versions[version]
        if not served.starts or not served.workers:
            return Fault.NO_WORKER
        self.answered[version] += 1
        return super()._fault(version) if served.fault is Fault.NONE else served.fault

    def _knows(self, request: Request) -> bool:
        version = request.path_params.get("version", self.version)
        return super()._knows(request) and (version == "all" or version in self.versions)

    async def model(self, request: Request) -> Response:
        """Describe one version, or all of them."""
        if request.path_params["name"] != "geometric":
            return await super().model(request)
        if not self._knows(request) or self.is_broken:
            return await super().model(request)
        self.was_looked_at.set()
        await self.answers.wait()
        asked = request.path_params.get("version", self.version)
        named = self.versions if asked == "all" else [asked]
        return JSONResponse([self._described(version) for version in named])

    def _described(self, version: str) -> dict[str, object]:
        served = self.versions[version]
        is_ready = served.starts and version not in self.loading and self.is_ready
        status = "READY" if is_ready else "UNLOADING"
        pid = served.pid if served.starts else next(_pids)
        worker = {"id": "9000", "status": status, "memoryUsage": 1000, "pid": pid, "gpu": False}
        return {
            "modelName": "geometric",
            "modelVersion": version,
            "modelUrl": served.archive,
            "batchSize": int(served.settings.get("batch_size", 1)),
            "workers": [worker] * served.workers,
            "jobQueueStatus": {"remainingCapacity": 64, "pendingRequests": served.waiting},
        }

    async def register(self, request: Request) -> Response:
        """POST /models; the version is the one in the archive's name."""
        asked = dict(request.query_params)
        archive = asked["url"]
        self.commands.append(f"register {archive}")
        if archive in self.wanting:
            return JSONResponse({"code": 400, "message": self.wanting[archive]}, 400)
        version = archive.removeprefix("geometric-").removesuffix(".mar")
        if version in self.versions:
            return JSONResponse({"code": 409, "message": "is already registered"}, 409)
        starts, fault = version not in self.cannot_start, self.faulty.get(version, Fault.NONE)
        self.versions[version] = Served(archive, starts, workers=0, fault=fault, settings=asked)
        return JSONResponse({"status": "registered"}, 200)

    async def scale(self, request: Request) -> Response:
        """PUT /models/{name}/{version}."""
        version = request.path_params["version"]
        self.commands.append(f"scale {version}")
        self.versions[version].workers = int(request.query_params["min_worker"])
        return JSONResponse({"status": "Processing worker updates..."}, 202)

    async def make_default(self, request: Request) -> Response:
        """PUT /models/{name}/{version}/set-default."""
        self.version = request.path_params["version"]
        self.commands.append(f"default {self.version}")
        return JSONResponse({"status": "Default version successfully updated"})

    async def unregister(self, request: Request) -> Response:
        """DELETE /models/{name}/{version}."""
        version = request.path_params["version"]
        self.commands.append(f"unregister {version}")
        if version == self.version:
            return JSONResponse({"code": 403, "message": "Cannot remove default version"}, 403)
        del self.versions[version]
        return JSONResponse({"status": "unregistered"})

    def app(self) -> Starlette:
        """Both APIs on one port."""
        app = super().app()
        one = "/models/{name}/{version}"
        app.router.routes.extend(
            [
                Route("/models", self.register, methods=["POST"]),
                Route(one, self.model, methods=["GET"]),
                Route(one, self.scale, methods=["PUT"]),
                Route(f"{one}/set-default", self.make_default, methods=["PUT"]),
                Route(one, self.unregister, methods=["DELETE"]),
            ]
        )
        return app

"""New people, drawn from numbers and choices: no picture goes in, and no text of a caller's."""

from dataclasses import dataclass

from gateway.domain.licensing import Licensing
from gateway.domain.options import Engine, Given, plan
from gateway.domain.uploads import ImageType
from gateway.errors.kinds import NotDeployed
from gateway.services.inference import Answer, InferenceService, Question


@dataclass(frozen=True, slots=True)
class BodiesRequest:
    """What one call asks for; `payer` is the id of the API key that is charged."""

    given: Given
    request_id: str
    caller: str
    payer: str | None = None


class BodiesService:
    """Has the deployment's drawing engine draw people."""

    def __init__(
        self, engine: Engine | None, licensing: Licensing, inference: InferenceService
    ) -> None:
        self._engine = engine
        self._licensing = licensing
        self._inference = inference

    def engine(self) -> Engine:
        """The engine that draws; raises NotDeployed where none does, NotLicensed if it may not."""
        if self._engine is None:
            raise NotDeployed("No engine of this deployment draws people.")
        self._licensing.admit(self._engine)
        return self._engine

    async def draw(self, request: BodiesRequest) -> Answer:
        """Draw people; raises what `engine` and its parts do."""
        return await self._inference.ask(self._question(request))

    async def _question(self, request: BodiesRequest) -> Question:
        made = plan(self.engine(), request.given)
        return Question(
            plan=made,
            images={},
            fields={},
            image_type=ImageType[str(made.params["output_format"]).upper()],
            request_id=request.request_id,
            caller=request.caller,
            payer=request.payer,
        )

"""What a photo says of a person: where which clothes are, how the body stands, what may change."""

from dataclasses import dataclass
from typing import Final

from gateway.domain.licensing import Licensing
from gateway.domain.options import Engine, Given, plan
from gateway.domain.uploads import ImageType
from gateway.errors.kinds import NotDeployed
from gateway.services.inference import Answer, InferenceService, Question
from gateway.services.pictures import PictureService, Source

_IMAGE: Final = "person_image"


@dataclass(frozen=True, slots=True)
class PersonRequest:
    """What one call asks for; `payer` is the id of the API key that is charged."""

    person: Source
    given: Given
    request_id: str
    caller: str
    payer: str | None = None


class PersonService:
    """Has the deployment's analysing engine look at a photo."""

    def __init__(
        self,
        analyser: Engine | None,
        licensing: Licensing,
        pictures: PictureService,
        inference: InferenceService,
    ) -> None:
        self._analyser = analyser
        self._licensing = licensing
        self._pictures = pictures
        self._inference = inference

    async def analyse(self, request: PersonRequest) -> Answer:
        """Analyse one photo.

        Raises NotDeployed where nothing analyses, NotLicensed where that may not be used, or what
        its parts do.
        """
        return await self._inference.ask(self._question(request))

    async def _question(self, request: PersonRequest) -> Question:
        if self._analyser is None:
            raise NotDeployed("No engine of this deployment analyses photos.")
        self._licensing.admit(self._analyser)
        return Question(
            plan=plan(self._analyser, request.given),
            images={_IMAGE: await self._pictures.photo(request.person)},
            fields={_IMAGE: request.person.field},
            image_type=ImageType.PNG,
            request_id=request.request_id,
            caller=request.caller,
            payer=request.payer,
        )

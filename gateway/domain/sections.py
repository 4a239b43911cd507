"""Sections of a model's YAML, checked: what is wrong is named by its file and key."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.errors.kinds import Misconfigured


class Section(BaseModel):
    """Knows some keys of a section; the others are somebody else's."""

    model_config = ConfigDict(extra="ignore", frozen=True)


S = TypeVar("S", bound=BaseModel)


def checked(kind: type[S], section: object, where: str) -> S:
    """Read a section as `kind`; raises Misconfigured naming `where` and the key that is wrong."""
    try:
        return kind.model_validate(section)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise Misconfigured(f"{where}.{key}: {fault['msg']}") from None

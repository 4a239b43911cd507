"""What routes ask for."""

from typing import Annotated, cast

from fastapi import Depends, Request

from gateway.resources import Resources


def _resources(request: Request) -> Resources:
    return cast("Resources", request.app.state.resources)


R = Annotated[Resources, Depends(_resources)]

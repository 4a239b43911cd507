"""/api/v1/webhooks: endpoints that are told what becomes of sessions, and what they were told."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request

from gateway.deps import R, needs
from gateway.documentation.openapi import BODY_ERRORS, errors
from gateway.domain.identity import Caller, Scope
from gateway.errors.kinds import Conflict, DatabaseFailed, InvalidInput, NotFound
from gateway.intake.path_ids import PathId
from gateway.intake.session_headers import known_owner
from gateway.intake.tryon import from_json
from gateway.schemas.webhooks import (
    DeliveriesResponse,
    WebhookBody,
    WebhookResponse,
    WebhooksResponse,
    delivery_described,
    webhook_described,
)

router = APIRouter(prefix="/api/v1", tags=["webhooks"])

Owner = Annotated[Caller, needs(Scope.WEBHOOKS)]
Limit = Annotated[int, Query(ge=1, le=100)]
_ERRORS: Final = (NotFound, InvalidInput, DatabaseFailed)
_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": WebhookBody.model_json_schema(ref_template="#/components/schemas/{model}"),
            "example": {"url": "http://shop.example/hook", "events": ["session.completed"]},
        }
    },
}
_BODY["content"]["application/json"]["schema"].pop("$defs", None)


@router.post(
    "/webhooks",
    status_code=201,
    openapi_extra={"requestBody": _BODY},
    responses=errors(*BODY_ERRORS, Conflict, NotFound, DatabaseFailed),
)
async def add(request: Request, r: R, caller: Owner) -> WebhookResponse:
    """Tell an address of the caller's sessions, signed by the Standard Webhooks specification.

    The answer holds the secret that verifies what is told; it is not shown again.
    """
    owner = known_owner(caller)
    body = await from_json(request, WebhookBody)
    endpoint = await r.webhooks.service.add(owner, body.url, body.events)
    return webhook_described(endpoint, is_new=True)


@router.get("/webhooks", responses=errors(*_ERRORS))
async def listed(r: R, caller: Owner) -> WebhooksResponse:
    """List the caller's endpoints, the oldest first."""
    found = await r.webhooks.service.endpoints(known_owner(caller))
    return WebhooksResponse(webhooks=[webhook_described(one) for one in found])


@router.delete("/webhooks/{webhook_id}", status_code=204, responses=errors(*_ERRORS))
async def remove(webhook_id: PathId, r: R, caller: Owner) -> None:
    """Tell an endpoint nothing any more, and forget what it was told."""
    await r.webhooks.service.remove(known_owner(caller), webhook_id)


@router.post("/webhooks/{webhook_id}/rotate", responses=errors(*_ERRORS))
async def rotate(webhook_id: PathId, r: R, caller: Owner) -> WebhookResponse:
    """Give an endpoint a new secret; the one before signs beside it for a day."""
    endpoint = await r.webhooks.service.rotate(known_owner(caller), webhook_id)
    return webhook_described(endpoint, is_new=True)


@router.post("/webhooks/{webhook_id}/enable", status_code=204, responses=errors(*_ERRORS))
async def enable(webhook_id: PathId, r: R, caller: Owner) -> None:
    """Tell an endpoint again that answered 410."""
    await r.webhooks.service.enable(known_owner(caller), webhook_id)


@router.get("/webhooks/{webhook_id}/deliveries", responses=errors(*_ERRORS))
async def deliveries(
    webhook_id: PathId, r: R, caller: Owner, limit: Limit = 20
) -> DeliveriesResponse:
    """Say what an endpoint was told lately, and whether it took it."""
    found = await r.webhooks.service.deliveries(known_owner(caller), webhook_id, limit)
    return DeliveriesResponse(deliveries=[delivery_described(one) for one in found])


@router.get("/tryon/sessions/{session_id}/deliveries", responses=errors(*_ERRORS))
async def of_session(
    session_id: PathId, r: R, caller: Owner, limit: Limit = 20
) -> DeliveriesResponse:
    """Say who was told of a session, and whether they took it."""
    owner = known_owner(caller)
    await r.sessions.get(session_id, owner)
    found = await r.webhooks.service.deliveries_of(owner, session_id, limit)
    return DeliveriesResponse(deliveries=[delivery_described(one) for one in found])


@router.post(
    "/webhooks/deliveries/{message_id}/redeliver", status_code=204, responses=errors(*_ERRORS)
)
async def redeliver(message_id: PathId, r: R, caller: Owner) -> None:
    """Deliver a message anew, as if it were new."""
    await r.webhooks.service.redeliver(known_owner(caller), message_id)

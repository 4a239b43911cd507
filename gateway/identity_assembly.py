"""Puts together who is let in."""

import secrets
from typing import Final

from gateway.services.identity import IdentityRules, IdentityService
from gateway.settings import Environment, Settings

_SALT_BYTES: Final = 16


def identity_service(settings: Settings) -> IdentityService:
    """What answers who asks."""
    token = settings.admin.token
    is_open = settings.environment is Environment.DEVELOPMENT and token is None
    rules = IdentityRules(
        admin_token=None if token is None else token.get_secret_value(),
        anonymous=settings.identity.anonymous,
        is_catalogue_open=is_open,
        salt=secrets.token_bytes(_SALT_BYTES),
    )
    return IdentityService(rules)

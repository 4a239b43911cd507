"""Puts together who is let in: the one place that picks adapters for it."""

import hmac
import math
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import httpx

from gateway.adapters.access_tokens import JwtAccessTokens
from gateway.adapters.breaker import BreakerRules, Breakers
from gateway.adapters.clock import SharedClock, SystemClock
from gateway.adapters.jwks import JwksKeys, JwksRules
from gateway.adapters.sql.audit_log import SqlAuditLog
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.keys import SqlKeyBook
from gateway.adapters.sql.opening import shared_database
from gateway.adapters.sql.sign_ins import SqlDenialBook, SqlRefreshBook
from gateway.adapters.supabase_auth import SupabaseAuth
from gateway.assembly.limits import open_limits
from gateway.errors.tokens import SupabaseFailed
from gateway.intake.cookies import CookieRules
from gateway.metrics import Metrics
from gateway.ports.clock import Clock
from gateway.services.api_keys import ApiKeyService, KeyRules
from gateway.services.audit import AuditService
from gateway.services.budgets import BudgetService
from gateway.services.denials import Denials
from gateway.services.identity import IdentityRules, IdentityService
from gateway.services.limits import LimitService
from gateway.services.refusals import Refusals
from gateway.services.sign_in import SignInRules, SignInService
from gateway.settings.identity import SupabaseSettings
from gateway.settings.tree import Environment, Settings

_SALT_BYTES: Final = 16
_SHARED_S: Final = 30.0
_MOST_CALLS: Final = 32


@dataclass(frozen=True, slots=True)
class Doors:
    """How people and servers get in: `sign_in` is None where no sign-in service is configured."""

    identity: IdentityService
    keys: ApiKeyService
    denials: Denials
    sign_in: SignInService | None
    refusals: Refusals
    cookies: CookieRules
    limits: LimitService

    async def clear(self) -> None:
        """Forget what is over."""
        await self.denials.clear()
        if self.sign_in is not None:
            await self.sign_in.clear()


@dataclass(frozen=True, slots=True)
class DoorGround:
    """What they stand on."""

    database: Database
    clock: Clock
    breakers: Breakers
    budgets: BudgetService
    metrics: Metrics


async def open_doors(settings: Settings, ground: DoorGround, stack: AsyncExitStack) -> Doors:
    """What answers who asks, and what lets people in and out."""
    database, clock, told = ground.database, ground.clock, settings.identity
    denials = Denials(SqlDenialBook(database, clock), clock, told.recheck_s)
    keys = _keys(settings, database, clock)
    tokens, sign_in = None, None
    if settings.supabase.is_on:
        tokens, server = await _supabase(settings.supabase, ground, stack)
        refreshes = SqlRefreshBook(database, clock)
        lasts = SignInRules(2 * settings.supabase.timeout_s, _SHARED_S)
        sign_in = SignInService(server, tokens, denials, refreshes, lasts)
        stack.push_async_callback(sign_in.close)
    audit = _audit(database, clock)
    refusals = Refusals(audit, clock, settings.audit.refusals_per_min)
    stack.push_async_callback(refusals.close)
    identity = IdentityService(_rules(settings), tokens, denials, keys, audit, refusals)
    limits = await open_limits(
        settings.limits, ground.breakers, ground.budgets, audit, ground.metrics, stack
    )
    return Doors(identity, keys, denials, sign_in, refusals, _cookies(settings), limits)


@asynccontextmanager
async def open_keys(settings: Settings) -> AsyncIterator[tuple[ApiKeyService, AuditService]]:
    """API keys, and where it is written down what is done to them, for who has the database."""
    async with AsyncExitStack() as stack:
        clock = SharedClock(SystemClock())
        database = await shared_database(settings, clock, stack)
        yield _keys(settings, database, clock), _audit(database, clock)


def _keys(settings: Settings, database: Database, clock: Clock) -> ApiKeyService:
    rules = KeyRules(settings.identity.keys_per_owner, settings.identity.recheck_s)
    return ApiKeyService(SqlKeyBook(database, clock), clock, secrets.token_bytes, rules)


def _audit(database: Database, clock: Clock) -> AuditService:
    return AuditService(SqlAuditLog(database), clock, secrets.token_bytes, math.inf)


async def _supabase(
    told: SupabaseSettings, ground: DoorGround, stack: AsyncExitStack
) -> tuple[JwtAccessTokens, SupabaseAuth]:
    headers = {} if told.anon_key is None else {"apikey": told.anon_key.get_secret_value()}
    client = httpx.AsyncClient(
        base_url=told.url.rstrip("/"), headers=headers, timeout=told.timeout_s, trust_env=False
    )
    await stack.enter_async_context(client)
    limits = BreakerRules(max_concurrent=_MOST_CALLS, timeout_s=told.timeout_s)
    breaker = ground.breakers.breaker("supabase", SupabaseFailed, limits)
    keys = JwksKeys(client, breaker, ground.clock, JwksRules(stale_s=told.keys_stale_s))
    stack.push_async_callback(keys.close)
    secret = None if told.jwt_secret is None else told.jwt_secret.get_secret_value()
    tokens = JwtAccessTokens(told.rules, keys, secret, ground.clock)
    return tokens, SupabaseAuth(client, breaker)


def _rules(settings: Settings) -> IdentityRules:
    token = settings.admin.token
    has_nobody = token is None and not settings.supabase.is_on
    return IdentityRules(
        admin_token=None if token is None else token.get_secret_value(),
        anonymous=settings.identity.anonymous,
        is_catalogue_open=has_nobody and settings.environment is Environment.DEVELOPMENT,
        salt=secrets.token_bytes(_SALT_BYTES),
    )


def _cookies(settings: Settings) -> CookieRules:
    """A secret of its own, made of the one that every gateway of the deployment has."""
    secret = settings.storage.signing_secret.get_secret_value().encode()
    told = settings.supabase
    made = hmac.new(secret, b"csrf", sha256).digest()
    return CookieRules(made, told.secure_cookies, told.cookie_s)

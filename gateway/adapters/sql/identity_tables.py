"""The tables of identity: keys of servers, sign-ins that ended early, refreshes under way."""

from typing import Final

from sqlalchemy import Column, Double, Integer, LargeBinary, String, Table

from gateway.adapters.sql.tables import DOCUMENT, metadata

_ID: Final = String(64)

api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("owner", _ID, nullable=False, index=True),
    Column("name", String(128), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("scopes", DOCUMENT, nullable=False),
    Column("limits", DOCUMENT, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("last_used_at", Double),
    Column("spent_day", Integer, nullable=False, server_default="0"),
    Column("spent_gpu_s", Double, nullable=False, server_default="0"),
)

denied_sign_ins: Final = Table(
    "denied_sign_ins",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("before", Double, nullable=False),
    Column("until", Double, nullable=False, index=True),
)

sign_in_refreshes: Final = Table(
    "sign_in_refreshes",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("sealed", LargeBinary),
    Column("until", Double, nullable=False, index=True),
)

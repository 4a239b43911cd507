"""The public error codes, and the one table that turns them into HTTP statuses."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class ErrorCode(StrEnum):
    """The public error codes; a client may switch on them, so none ever changes its meaning."""

    INVALID_TOKEN = "AUTH_1001"  # noqa: S105 - a code, not a token
    EXPIRED_TOKEN = "AUTH_1002"  # noqa: S105
    MISSING_TOKEN = "AUTH_1003"  # noqa: S105
    NOT_PERMITTED = "AUTH_1004"
    CSRF = "AUTH_1005"
    SIGN_IN_REFUSED = "AUTH_1006"
    INVALID_INPUT = "VAL_2001"
    TOO_LARGE = "VAL_2002"
    TYPE_NOT_ALLOWED = "VAL_2003"
    CONTENT_MISMATCH = "VAL_2004"
    BAD_FILE_NAME = "VAL_2005"
    NOT_FOUND = "VAL_2006"
    METHOD_NOT_ALLOWED = "VAL_2007"
    MALFORMED_BODY = "VAL_2008"
    SLOW_BODY = "VAL_2009"
    CONFLICT = "VAL_2010"
    RATE_LIMITED = "RATE_3001"
    BUSY = "RATE_3002"
    SESSIONS_FULL = "RATE_3003"
    BUDGET_SPENT = "RATE_3004"
    WATCHERS_FULL = "RATE_3005"
    MODEL_NOT_LOADED = "ML_4001"
    INFERENCE_FAILED = "ML_4002"
    OUT_OF_MEMORY = "ML_4003"
    BAD_DIMENSIONS = "ML_4004"
    UNFIT = "ML_4005"
    NOT_LICENSED = "ML_4006"
    TOO_LATE = "ML_4007"
    PINS_FULL = "ML_4008"
    GEMINI = "EXT_5001"
    EBAY = "EXT_5002"
    SUPABASE = "EXT_5003"
    TIMED_OUT = "EXT_5004"
    REMOTE_ENGINE = "EXT_5005"
    INTERNAL = "SYS_9001"
    MISCONFIGURED = "SYS_9002"
    STORAGE = "SYS_9003"
    DATABASE = "SYS_9004"
    SWITCHED_OFF = "SYS_9005"


STATUS: Mapping[ErrorCode, int] = MappingProxyType(
    {
        ErrorCode.INVALID_TOKEN: 401,
        ErrorCode.EXPIRED_TOKEN: 401,
        ErrorCode.MISSING_TOKEN: 401,
        ErrorCode.NOT_PERMITTED: 403,
        ErrorCode.CSRF: 403,
        ErrorCode.SIGN_IN_REFUSED: 401,
        ErrorCode.INVALID_INPUT: 422,
        ErrorCode.TOO_LARGE: 413,
        ErrorCode.TYPE_NOT_ALLOWED: 415,
        ErrorCode.CONTENT_MISMATCH: 400,
        ErrorCode.BAD_FILE_NAME: 400,
        ErrorCode.NOT_FOUND: 404,
        ErrorCode.METHOD_NOT_ALLOWED: 405,
        ErrorCode.MALFORMED_BODY: 400,
        ErrorCode.SLOW_BODY: 408,
        ErrorCode.CONFLICT: 409,
        ErrorCode.RATE_LIMITED: 429,
        ErrorCode.BUSY: 503,
        ErrorCode.SESSIONS_FULL: 429,
        ErrorCode.BUDGET_SPENT: 429,
        ErrorCode.WATCHERS_FULL: 429,
        ErrorCode.MODEL_NOT_LOADED: 503,
        ErrorCode.INFERENCE_FAILED: 502,
        ErrorCode.OUT_OF_MEMORY: 503,
        ErrorCode.BAD_DIMENSIONS: 422,
        ErrorCode.UNFIT: 422,
        ErrorCode.NOT_LICENSED: 403,
        ErrorCode.TOO_LATE: 503,
        ErrorCode.PINS_FULL: 409,
        ErrorCode.GEMINI: 503,
        ErrorCode.EBAY: 503,
        ErrorCode.SUPABASE: 502,
        ErrorCode.TIMED_OUT: 504,
        ErrorCode.REMOTE_ENGINE: 502,
        ErrorCode.INTERNAL: 500,
        ErrorCode.MISCONFIGURED: 500,
        ErrorCode.STORAGE: 503,
        ErrorCode.DATABASE: 503,
        ErrorCode.SWITCHED_OFF: 404,
    }
)

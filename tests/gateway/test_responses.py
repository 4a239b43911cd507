import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from starlette.exceptions import HTTPException

from gateway import errors
from gateway.errors.codes import STATUS, ErrorCode
from gateway.errors.kinds import GatewayError
from gateway.responses import FRAMEWORK_ERRORS, as_gateway_error


def test_every_code_has_a_status() -> None:
    assert set(STATUS) == set(ErrorCode)


def kinds_below(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    for below in kind.__subclasses__():
        yield below
        yield from kinds_below(below)


def test_every_error_is_drawn_in_the_tree_with_its_code() -> None:
    for room in pkgutil.iter_modules(errors.__path__):
        importlib.import_module(f"gateway.errors.{room.name}")
    lines = (errors.__doc__ or "").splitlines()
    for kind in kinds_below(GatewayError):
        line = next(line for line in lines if f" {kind.__name__} " in line)
        assert "code" not in vars(kind) or kind.code in line


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in GatewayError.__subclasses__() if "code" in vars(kind)]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("status", FRAMEWORK_ERRORS)
def test_the_framework_s_errors_keep_their_status(status: int) -> None:
    assert as_gateway_error(HTTPException(status)).status == status


def test_what_nobody_foresaw_says_nothing() -> None:
    error = as_gateway_error(RuntimeError("/etc/secret"))
    assert (error.status, "secret" in error.message) == (500, False)

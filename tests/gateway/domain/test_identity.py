import pytest

from gateway.domain.identity import (
    ADMIN_SCOPES,
    KEY_SCOPES,
    USER_SCOPES,
    VISITOR_SCOPES,
    Scope,
    administrator,
    stranger,
    visitor,
)


def test_a_stranger_has_one_name_that_does_not_show_the_address() -> None:
    salt = b"s" * 16
    name = stranger("203.0.113.9", salt).owner
    assert name == stranger("203.0.113.9", salt).owner
    assert name != stranger("203.0.113.8", salt).owner
    assert name != stranger("203.0.113.9", b"t" * 16).owner
    assert "203" not in name
    assert not stranger("", salt).is_known


def test_a_visitor_s_token_cannot_be_told_from_its_owner() -> None:
    token = "a" * 40
    known = visitor(token)
    assert known is not None
    assert token not in known.owner
    assert len(known.owner) <= 64
    assert known.is_known
    assert known.is_anonymous


@pytest.mark.parametrize("token", ["", "short", "a" * 21, "a" * 129, "a" * 30 + "\n", "ä" * 30])
def test_a_token_that_could_be_guessed_or_mistaken_is_none(token: str) -> None:
    assert visitor(token) is None


def test_nobody_but_the_administrator_may_everything() -> None:
    assert VISITOR_SCOPES < USER_SCOPES < ADMIN_SCOPES
    assert administrator().scopes == frozenset(Scope)
    assert not {Scope.ADMIN, Scope.KEYS} & KEY_SCOPES

from gateway.callers import caller_of


def scope(address: str | None) -> dict[str, object]:
    return {"type": "http", "client": address and (address, 4711)}


def test_a_caller_has_one_name_that_does_not_show_the_address() -> None:
    salt = b"s" * 16
    name = caller_of(scope("203.0.113.9"), salt)
    assert name == caller_of(scope("203.0.113.9"), salt)
    assert name != caller_of(scope("203.0.113.8"), salt)
    assert name != caller_of(scope("203.0.113.9"), b"t" * 16)
    assert "203" not in name
    assert caller_of(scope(None), salt)

import pytest

from gateway.domain.redaction import MASK, Redactor, shows_internals


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefgh12345678",
        "basic dXNlcjpwYXNzd29yZA==",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def",
        "https://user:hunter2@host/path",
        "?signature=0a1b2c3d4e5f",
        'password="hunter2"',
        "api_key: sk-12345678",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    masked = Redactor().text(text)
    assert MASK in masked
    for secret in ("abcdefgh", "hunter2", "dXNlcj", "abc-def", "0a1b2c", "sk-123"):
        assert secret not in masked


@pytest.mark.parametrize("name", ["token", "Authorization", "api_key", "X-API-Key", "set-cookie"])
def test_what_has_a_secret_name_is_masked(name: str) -> None:
    assert Redactor().value({name: "harmless looking"}) == {name: MASK}


@pytest.mark.parametrize("name", ["category", "monkey", "authored", "stage_ms"])
def test_other_names_are_left_alone(name: str) -> None:
    assert Redactor().value({name: "value"}) == {name: "value"}


def test_nested_values_are_masked_and_bytes_never_written() -> None:
    value = {"list": [{"secret": "x"}, b"pixels"], "number": 3, "none": None}
    assert Redactor().value(value) == {
        "list": [{"secret": MASK}, "<6 bytes>"],
        "number": 3,
        "none": None,
    }


@pytest.mark.parametrize(
    "text",
    [
        "cannot open /home/model-server/x",
        "C:\\models\\x",
        "connect to 10.0.0.12 failed",
        'File "handler.py", line 3',
        "Traceback (most recent call last)",
        "object at 0x7f3a2b1c9d10",
    ],
)
def test_internals_are_recognised(text: str) -> None:
    assert shows_internals(text)


@pytest.mark.parametrize(
    "text", ["There is nobody in the picture.", "left/right shoulder", "1.5 s"]
)
def test_plain_words_are_no_internals(text: str) -> None:
    assert not shows_internals(text)

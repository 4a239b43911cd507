import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from gateway.domain import webhooks
from gateway.domain.webhooks import BadSecret, NotGenuine, Secret

NOW = 1_790_000_000.0
SECRET = webhooks.secret_of(bytes(range(32)))
OTHER = webhooks.secret_of(bytes(range(1, 33)))
BODY = b'{"type":"session.completed"}'
keys = st.binary(min_size=24, max_size=64)
ids = st.from_regex(r"msg_[0-9a-zA-Z]{1,40}", fullmatch=True)


def headers(*secrets: str, at: float = NOW, body: bytes = BODY) -> dict[str, str]:
    return webhooks.signed_headers(secrets, "msg_1", int(at), body)


@given(key=keys, message_id=ids, body=st.text())
def test_an_outside_library_accepts_what_we_sign(key: bytes, message_id: str, body: str) -> None:
    now = int(datetime.now(UTC).timestamp())
    secret = webhooks.secret_of(key)
    told = json.dumps({"said": body}).encode()
    signed = webhooks.signed_headers([secret], message_id, now, told)
    assert Webhook(secret).verify(told, signed) == {"said": body}


@given(key=keys, message_id=ids, body=st.text())
def test_we_accept_what_an_outside_library_signs(key: bytes, message_id: str, body: str) -> None:
    secret = webhooks.secret_of(key)
    at = datetime.fromtimestamp(NOW, UTC)
    theirs = Webhook(secret).sign(message_id, at, body)
    assert webhooks.signature(secret, message_id, int(NOW), body.encode()) == theirs
    signed = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(NOW)),
        "webhook-signature": theirs,
    }
    assert webhooks.verify([secret], signed, body.encode(), NOW) == message_id


def test_while_secrets_rotate_either_one_verifies() -> None:
    now = datetime.now(UTC).timestamp()
    both = headers(OTHER, SECRET, at=now)
    for secret in (SECRET, OTHER):
        assert Webhook(secret).verify(BODY, both)
        assert webhooks.verify([secret], both, BODY, now) == "msg_1"
    with pytest.raises(WebhookVerificationError):
        Webhook(webhooks.secret_of(bytes(32))).verify(BODY, both)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-timestamp": str(int(NOW) + 1)},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": ""},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": headers(OTHER)["webhook-signature"]},
        {"webhook-signature": headers(SECRET)["webhook-signature"].replace("v1,", "v2,")},
        {"webhook-signature": "v1,ü"},
    ],
    ids=str,
)
def test_a_message_that_was_changed_is_not_genuine(change: dict[str, str]) -> None:
    with pytest.raises(NotGenuine):
        webhooks.verify([SECRET], headers(SECRET) | change, BODY, NOW)


@pytest.mark.parametrize("late_s", [-301, 301])
def test_a_message_of_another_time_is_not_genuine(late_s: float) -> None:
    with pytest.raises(NotGenuine):
        webhooks.verify([SECRET], headers(SECRET), BODY, NOW + late_s)
    assert webhooks.verify([SECRET], headers(SECRET), BODY, NOW + late_s * 0.99)


@given(st.binary(max_size=80))
def test_a_secret_gives_its_key_back_or_is_refused(key: bytes) -> None:
    secret = webhooks.secret_of(key)
    assert secret.count("_") == 1
    if 24 <= len(key) <= 64:
        assert webhooks.key_of(secret) == key
    else:
        with pytest.raises(BadSecret):
            webhooks.key_of(secret)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%%%", SECRET[6:], SECRET[:-1], "whsec_ü"])
def test_what_is_no_secret_is_refused(secret: str) -> None:
    with pytest.raises(BadSecret):
        webhooks.key_of(secret)


def test_a_body_tells_type_time_and_data() -> None:
    body = webhooks.event_body("session.completed", NOW + 0.25, {"session_id": "s", "name": "é"})
    assert json.loads(body) == {
        "type": "session.completed",
        "timestamp": "2026-09-21T14:13:20.250Z",
        "data": {"session_id": "s", "name": "é"},
    }


@given(st.floats(0, 1))
def test_tries_go_on_for_a_day_with_longer_and_longer_pauses(spread: float) -> None:
    pauses = [webhooks.pause_s(tries, spread) for tries in range(1, 12)]
    assert pauses[-1] is None
    told = [pause for pause in pauses if pause is not None]
    assert told == sorted(told)
    assert len(told) == 10
    assert 0.9 * 23 * 3600 <= sum(told) <= 24 * 3600


def test_a_secret_that_was_replaced_signs_until_its_time() -> None:
    secrets = [Secret("new"), Secret("old", until=NOW)]
    assert webhooks.in_force(secrets, NOW - 1) == ["new", "old"]
    assert webhooks.in_force(secrets, NOW) == ["new"]


@pytest.mark.parametrize("status", range(100, 600, 50))
def test_only_a_success_is_an_acceptance(status: int) -> None:
    assert webhooks.is_accepted(status) == (status in {200, 250})


def test_a_refusal_is_tried_again_and_one_that_is_gone_is_not() -> None:
    assert webhooks.outcome(204, 1, 0).is_accepted
    assert webhooks.outcome(500, 1, 0).wait_s == 5
    assert webhooks.outcome(302, 2, 0).wait_s == 30
    assert webhooks.outcome(500, 11, 0).wait_s is None
    gone = webhooks.outcome(410, 1, 0)
    assert gone.is_gone
    assert gone.wait_s is None

import json
from typing import Any

import pytest

from gateway.domain.receipts import Erased, ReceiptKey, is_genuine

KEY = ReceiptKey(b"a deployment's secret")
RECEIPT = KEY.receipt(Erased("session-1", 1_790_000_000.0, "asked", {"photos": 2, "items": 1}, 1))


def test_a_receipt_is_genuine_also_after_a_journey_as_json() -> None:
    assert is_genuine(json.loads(json.dumps(RECEIPT, indent=3)), KEY.public)
    assert ReceiptKey(b"a deployment's secret").public == KEY.public


@pytest.mark.parametrize(
    "changed",
    [
        {"erased": {"photos": 3, "items": 1}},
        {"receipt_id": "session-2"},
        {"more": 1},
        {"algorithm": "none"},
        {"key_id": "0" * 16},
        {"signature": ""},
        {"signature": "é"},
        {"signature": None},
    ],
)
def test_whatever_is_changed_is_found_out(changed: dict[str, Any]) -> None:
    assert not is_genuine({**RECEIPT, **changed}, KEY.public)


def test_nobody_elses_key_and_no_nonsense_will_do() -> None:
    assert not is_genuine(RECEIPT, ReceiptKey(b"another").public)
    assert not is_genuine(RECEIPT, "nonsense")
    assert not is_genuine({}, KEY.public)

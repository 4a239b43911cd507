import httpx
import pytest

from gateway.domain.receipts import is_genuine
from tests.patience import PATIENCE_S
from tests.system.running import GARMENT, PERSON, Running, unlike

pytestmark = pytest.mark.system

PATH = "/api/v1/tryon/sessions"
MINE = {"X-User-Token": "a-token-of-somebody-who-deletes"}


def test_a_deleted_session_leaves_nothing_in_a_real_worker(running: Running) -> None:
    files = {
        "user_image": ("person.png", unlike(PERSON), "image/png"),
        "garment_image": ("garment.png", unlike(GARMENT), "image/png"),
    }
    with httpx.Client(base_url=running.stack.url, headers=MINE, timeout=PATIENCE_S) as client:
        asked = client.post(PATH, files=files, headers={"Prefer": "wait=60"})
        assert asked.status_code == 201, asked.text
        body = asked.json()
        assert body["state"] == "completed", body
        deleted = client.delete(f"{PATH}/{body['session_id']}")
        assert deleted.status_code == 200, deleted.text
        receipt = deleted.json()
        # A person, a garment, and the gateway's memory of the result.
        assert receipt["erased"]["cache_entries"] == 3
        assert receipt["workers_told"] >= 1
        assert client.get(f"/api/v1/receipts/{body['session_id']}").json() == receipt
        key = client.get("/api/v1/receipts/key").json()
        assert is_genuine(receipt, key["public_key"])
        assert client.delete(f"{PATH}/{body['session_id']}").status_code == 404

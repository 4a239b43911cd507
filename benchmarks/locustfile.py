"""A realistic shopper against a running stack.

    python -m benchmarks.load                              a table, headless
    locust -f benchmarks/locustfile.py -H http://host:8000  the same with locust's own page

Opens the page, tries garments on one person, looks at each result, comes back to one seen before,
and now and then uploads a photo of their own. Thinks between clicks. Needs the `bench` extra.
"""

import io
import itertools
import json
import random
from pathlib import Path
from typing import Any

from locust import HttpUser, between, task
from PIL import Image

_WEB = Path(__file__).resolve().parent.parent / "gateway" / "web"
_SAMPLES = _WEB / "samples"
_CATALOGUE = json.loads((_SAMPLES / "samples.json").read_text(encoding="utf-8"))
_PAGE_FILES = ("/", *(f"/{p.name}" for p in sorted(_WEB.iterdir()) if p.suffix in {".css", ".js"}))
_TRY_ON = "/api/v1/process-tryon"
_serial = itertools.count(random.randrange(1 << 20))


class Shopper(HttpUser):
    """One visitor with one photo and a wish to see many garments on it."""

    wait_time = between(1, 4)

    def on_start(self) -> None:
        """Open the page as a browser does, and pick a person."""
        for path in (*_PAGE_FILES, "/samples/samples.json"):
            self.client.get(path, name="page")
        self._pick_person()
        self._seen: list[dict[str, Any]] = []

    @task(6)
    def try_another_garment(self) -> None:
        """Another garment on the same person."""
        garment = random.choice(_CATALOGUE["garments"])
        self._try_on("try-on", garment)
        self._seen.append(garment)

    @task(2)
    def come_back(self) -> None:
        """A garment tried before, on the same person."""
        if self._seen:
            self._try_on("try-on, repeated", random.choice(self._seen))

    @task(1)
    def change_person(self) -> None:
        """A photo that the server has never seen, sent once and referred to."""
        self._pick_person()
        photo = ("me.jpg", self._photo, "image/jpeg")
        with self.client.post(
            "/api/v1/uploads", files={"file": photo}, name="upload", catch_response=True
        ) as answer:
            if answer.status_code != 201:
                answer.failure(_problem(answer))

    @task(1)
    def look_around(self) -> None:
        """What the page and a balancer ask now and then."""
        self.client.get("/api/v1/models", name="models")
        self.client.get("/health", name="health")

    def _pick_person(self) -> None:
        person = random.choice(_CATALOGUE["people"])
        self._photo = _never_seen(_SAMPLES / person["file"])
        self._seen = []

    def _try_on(self, name: str, garment: dict[str, Any]) -> None:
        cloth = (_SAMPLES / garment["file"]).read_bytes()
        with self.client.post(
            _TRY_ON,
            files={
                "user_image": ("me.jpg", self._photo, "image/jpeg"),
                "garment_image": ("garment.jpg", cloth, "image/jpeg"),
            },
            data={"category": garment["category"]},
            name=name,
            catch_response=True,
        ) as answer:
            if answer.status_code == 422:  # the engine says why it declines: an answer, no fault
                answer.success()
                return
            if answer.status_code != 200:
                answer.failure(_problem(answer))
                return
            link = answer.json()["result_url"]
        self.client.get(link, name="result")


def _never_seen(path: Path) -> bytes:
    """The photo with one corner recoloured: the same to the eye, unknown to every cache."""
    photo = Image.open(path).convert("RGB")
    number = next(_serial)
    photo.paste((number & 255, number >> 8 & 255, number >> 16 & 255), (0, 0, 16, 16))
    encoded = io.BytesIO()
    photo.save(encoded, "JPEG", quality=90)
    return encoded.getvalue()


def _problem(answer: Any) -> str:  # noqa: ANN401 - locust's response is untyped
    return f"{answer.status_code} {answer.text[:200]}"

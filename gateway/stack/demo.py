"""`vton demo`: one real try-on on a stack of its own, left behind as two pictures."""

import io
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from PIL import Image

from gateway.stack.client import try_on
from gateway.stack.plan import Plan
from gateway.stack.running import Stack

PERSON: Final = "man-grey-tee.jpg"
GARMENT: Final = "logo-tee.jpg"
_GAP_PX: Final = 12
_HEIGHT_PX: Final = 1024


def run(plan: Plan, samples: Path, folder: Path, stack_of: Callable[[Plan], Stack]) -> list[str]:
    """Bring a stack up, ask it for a try-on, take it down; give the lines to print."""
    person, garment = samples / "people" / PERSON, samples / "garments" / GARMENT
    folder.mkdir(parents=True, exist_ok=True)
    objects = (folder / "objects").resolve()
    logged = replace(
        plan, logs=folder, settings=plan.settings | {"VTON_STORAGE__URL": objects.as_uri()}
    )
    started = time.perf_counter()
    with stack_of(logged) as stack:
        up_s = time.perf_counter() - started
        asked = time.perf_counter()
        pictures = {"user_image": person, "garment_image": garment}
        answer = try_on(stack.url, pictures, {"category": "upper_body"}, plan.deadline_s)
        took_s = time.perf_counter() - asked
    result, compared = folder / "result.jpg", folder / "before_after.jpg"
    result.write_bytes(answer.picture)
    compared.write_bytes(side_by_side([person.read_bytes(), garment.read_bytes(), answer.picture]))
    told = answer.body["metadata"]
    what = f"{told['width_px']}x{told['height_px']} on the {answer.body['engine']} engine"
    return [
        f"stack up in     {up_s:.1f} s (TorchServe, a warm worker, the gateway)",
        f"try-on took     {took_s:.2f} s for {what}, over REST",
        f"result          {result}",
        f"before, after   {compared}",
    ]


def side_by_side(pictures: list[bytes]) -> bytes:
    """Lay encoded pictures in a row of equal height; give a JPEG."""
    tiles = [_tile(picture) for picture in pictures]
    width_px = sum(tile.width for tile in tiles) + _GAP_PX * (len(tiles) - 1)
    row = Image.new("RGB", (width_px, _HEIGHT_PX), "white")
    left_px = 0
    for tile in tiles:
        row.paste(tile, (left_px, 0))
        left_px += tile.width + _GAP_PX
    written = io.BytesIO()
    row.save(written, "JPEG", quality=92)
    return written.getvalue()


def _tile(picture: bytes) -> Image.Image:
    with Image.open(io.BytesIO(picture)) as opened:
        image = opened.convert("RGB")
    return image.resize((round(image.width * _HEIGHT_PX / image.height), _HEIGHT_PX))

"""Pictures for tests: small good ones, and everything a stranger may send instead."""

import io
import struct
import zlib
from random import Random
from typing import Any

from PIL import Image

PNG_HEAD = b"\x89PNG\r\n\x1a\n"


def drawn(size: tuple[int, int] = (320, 400), seed: int = 1) -> Image.Image:
    """A picture that is the same for the same seed and has no plain area."""
    noise = Random(seed).randbytes(3 * 16 * 20)
    return Image.frombytes("RGB", (16, 20), noise).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:  # noqa: ANN401
    """The picture as a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(size: tuple[int, int] = (320, 400), seed: int = 1, **options: Any) -> bytes:  # noqa: ANN401
    """A JPEG photo."""
    return encoded(drawn(size, seed), "JPEG", **options)


def png(size: tuple[int, int] = (320, 400), seed: int = 1, **options: Any) -> bytes:  # noqa: ANN401
    """A PNG picture."""
    return encoded(drawn(size, seed), "PNG", **options)


def webp(size: tuple[int, int] = (320, 400), seed: int = 1, **options: Any) -> bytes:  # noqa: ANN401
    """A WebP picture."""
    return encoded(drawn(size, seed), "WEBP", **options)


def chunk(kind: bytes, content: bytes) -> bytes:
    """One PNG chunk."""
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def with_chunk(file: bytes, kind: bytes, content: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    return file[:33] + chunk(kind, content) + file[33:]


def bomb(side: int) -> bytes:
    """A small PNG that decodes to side x side pixels, all of them black."""
    row = bytes((side + 7) // 8 + 1)
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(row * 250) for _ in range(side // 250)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return PNG_HEAD + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def lying_header(side: int) -> bytes:
    """A PNG whose header claims side x side pixels."""
    file = bytearray(png())
    file[16:24] = struct.pack(">II", side, side)
    return bytes(file)


def turned(orientation: int, size: tuple[int, int] = (320, 400)) -> bytes:
    """A JPEG with an EXIF orientation, a position and an artist."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 29.0)}
    exif[0x013B] = "SECRET-ARTIST"
    return jpeg(size, exif=exif.tobytes())


def animated(kind: str) -> bytes:
    """Three frames."""
    frames = [drawn(seed=seed) for seed in (2, 3)]
    return encoded(drawn(), kind, save_all=True, append_images=frames)

import io
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from handlers import images, provenance
from handlers.images import Size
from handlers.options import FORMATS
from handlers.settings import Encoding

QUALITY = Encoding(jpeg_quality=92, webp_quality=90, png_compression=3)
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
TOOL = "{http://ns.adobe.com/xap/1.0/}CreatorTool"
DESCRIPTION = ".//{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"


def marked(output_format: str, width: int, height: int, tool: str = "sdxl 1.0.0") -> list[bytes]:
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    plain = images.encode(pixels, output_format, QUALITY)
    return [plain, provenance.mark(plain, output_format, Size(width, height), tool)]


def told(data: bytes) -> dict[str, str]:
    """Read the packet as any reader of metadata would."""
    with Image.open(io.BytesIO(data)) as opened:
        raw = opened.info.get("xmp") or opened.info["XML:com.adobe.xmp"]
    text = raw.decode() if isinstance(raw, bytes) else raw
    packet = re.sub(r"<\?xpacket.*?\?>", "", text)
    described = ET.fromstring(packet).find(DESCRIPTION)  # noqa: S314  our own bytes
    assert described is not None
    return dict(described.attrib)


@pytest.mark.parametrize("output_format", FORMATS)
@given(width=st.integers(1, 70), height=st.integers(1, 70))
def test_a_marked_picture_says_so_and_shows_the_same(
    output_format: str, width: int, height: int
) -> None:
    plain, file = marked(output_format, width, height)
    assert told(file)[IPTC].endswith("/trainedAlgorithmicMedia")
    with Image.open(io.BytesIO(plain)) as one, Image.open(io.BytesIO(file)) as other:
        assert other.format == output_format.upper()
        assert np.array_equal(np.array(one.convert("RGB")), np.array(other.convert("RGB")))


@pytest.mark.parametrize("output_format", FORMATS)
def test_our_own_decoder_reads_a_marked_picture(output_format: str) -> None:
    plain, file = marked(output_format, 33, 17)
    shown = images.decode(file, "result", 10**6)
    assert np.array_equal(shown, images.decode(plain, "result", 10**6))


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_name_cannot_break_out_of_the_packet(output_format: str) -> None:
    name = "\"/><script>&'"
    assert told(marked(output_format, 8, 8, name)[1])[TOOL] == name


def test_a_png_tells_people_too() -> None:
    with Image.open(io.BytesIO(marked("png", 8, 8)[1])) as opened:
        assert opened.info["Comment"] == provenance.TOLD
        opened.verify()


def test_marking_twice_leaves_a_webp_whole() -> None:
    once = marked("webp", 20, 10)[1]
    twice = provenance.mark(once, "webp", Size(20, 10), "again")
    assert images.decode(twice, "result", 10**6).shape == (10, 20, 3)

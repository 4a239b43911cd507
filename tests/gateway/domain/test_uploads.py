import pytest

from gateway.domain.uploads import ImageType, Upload, check_file_name, checked_type, sniff
from gateway.errors.kinds import BadFileName, ContentMismatch, TypeNotAllowed
from tests.gateway.pictures import jpeg, png, webp

FILES = {ImageType.JPEG: jpeg(), ImageType.PNG: png(), ImageType.WEBP: webp()}


@pytest.mark.parametrize("kind", ImageType)
def test_each_type_is_told_by_its_own_bytes(kind: ImageType) -> None:
    assert sniff(FILES[kind]) is kind


@pytest.mark.parametrize("content", [b"", b"\xff", b"RIFF1234WAVE", b"GIF89a", b"<svg/>", b"%PDF"])
def test_other_bytes_are_no_image(content: bytes) -> None:
    assert sniff(content) is None


@pytest.mark.parametrize(
    "media_type", ["image/jpeg", "IMAGE/JPEG", "image/jpeg; charset=binary", " image/jpg "]
)
def test_a_declaration_may_be_spelled_in_several_ways(media_type: str) -> None:
    assert checked_type(Upload("file", FILES[ImageType.JPEG], media_type)) is ImageType.JPEG


def test_without_a_declaration_the_bytes_decide() -> None:
    assert checked_type(Upload("file", FILES[ImageType.WEBP], None)) is ImageType.WEBP


@pytest.mark.parametrize("media_type", ["", "image/gif", "image/svg+xml", "text/html", "image/*"])
def test_a_type_outside_the_three_is_not_allowed(media_type: str) -> None:
    with pytest.raises(TypeNotAllowed):
        checked_type(Upload("file", FILES[ImageType.JPEG], media_type))


def test_bytes_that_say_otherwise_are_a_mismatch() -> None:
    with pytest.raises(ContentMismatch) as caught:
        checked_type(Upload("user_image", FILES[ImageType.PNG], "image/jpeg"))
    assert caught.value.details == {
        "field": "user_image",
        "declared": "image/jpeg",
        "found": "image/png",
    }


@pytest.mark.parametrize(
    "name",
    ["", "me.jpg", "Screenshot 2026-11-20 at 10.23.11 PM.png", "été 👨‍👩‍👧.webp", "my..photo.jpg"],
)
def test_an_ordinary_name_is_fine(name: str) -> None:
    check_file_name(name, "file")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../../etc/passwd", "separator"),
        ("..\\..\\boot.ini", "separator"),
        ("/etc/passwd", "separator"),
        ("a\u2215b.jpg", "separator"),
        ("a\uff0fb.jpg", "separator"),
        ("C:photo.jpg", "device_name"),
        ("CON", "device_name"),
        ("nul.jpg", "device_name"),
        ("a\x00.jpg", "control_characters"),
        ("a\nb.jpg", "control_characters"),
        ("gpj.\u202eexe", "direction_override"),
        ("..", "only_dots"),
        (" . ", "only_dots"),
        ("%2e%2e%2fpasswd", "encoded_path"),
        ("x" * 4096, "too_long"),
    ],
)
def test_a_name_that_could_be_a_path_is_refused(name: str, reason: str) -> None:
    with pytest.raises(BadFileName) as caught:
        check_file_name(name, "file")
    assert caught.value.details == {"field": "file", "reason": reason}

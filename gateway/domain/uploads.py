"""What may be uploaded: three image types, each told by its declaration and by its own bytes."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gateway.errors.kinds import BadFileName, ContentMismatch, TypeNotAllowed


class ImageType(Enum):
    """An accepted image type; the value is Pillow's name for its format."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WEBP"

    @property
    def media_type(self) -> str:
        """The type's name on the web."""
        return f"image/{self.value.lower()}"

    @property
    def extension(self) -> str:
        """The type's usual file name extension, without a dot."""
        return "jpg" if self is ImageType.JPEG else self.value.lower()


MEDIA_TYPES: Final = tuple(kind.media_type for kind in ImageType)
_BY_MEDIA_TYPE: Final = {kind.media_type: kind for kind in ImageType} | {
    "image/jpg": ImageType.JPEG,
}
_BY_EXTENSION: Final = {kind.extension: kind for kind in ImageType}
_RIFF_HEAD_BYTES: Final = 12
_MAX_FILE_NAME_CHARS: Final = 255
_SEPARATORS: Final = frozenset("/\\\u2044\u2215\u29f5\u29f8\u29f9\uff0f\uff3c\ufe68")
_BIDI_CONTROLS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d|clock\$)(\..*)?", re.IGNORECASE)
_DRIVE: Final = re.compile(r"[a-z]:", re.IGNORECASE)
_ENCODED_PATH: Final = re.compile(r"%(2f|5c|00|2e%2e)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Upload:
    """One file as it arrived: its bytes, and what the client says they are.

    `media_type` is None where the client had no way to declare one (base64 in JSON).
    """

    field: str
    content: bytes
    media_type: str | None
    file_name: str | None = None


def sniff(content: bytes) -> ImageType | None:
    """Tell the type from the first bytes alone; None when it is none of ours."""
    if content.startswith(b"\xff\xd8\xff"):
        return ImageType.JPEG
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return ImageType.PNG
    head = content[:_RIFF_HEAD_BYTES]
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        return ImageType.WEBP
    return None


def declared_type(media_type: str | None, field: str) -> ImageType:
    """The type that a Content-Type declares; raises TypeNotAllowed when it is none of ours."""
    essence = (media_type or "").partition(";")[0].strip().lower()
    kind = _BY_MEDIA_TYPE.get(essence)
    if kind is None:
        raise TypeNotAllowed(details={"field": field, "allowed": list(MEDIA_TYPES)})
    return kind


def type_of_extension(extension: str) -> ImageType | None:
    """The type of a stored object by its extension."""
    return _BY_EXTENSION.get(extension)


def checked_type(upload: Upload) -> ImageType:
    """The upload's type, declared and true.

    Raises TypeNotAllowed for a declared type outside JPEG, PNG and WebP, ContentMismatch when
    the bytes say otherwise, BadFileName when the file name could name a path.
    """
    if upload.file_name is not None:
        check_file_name(upload.file_name, upload.field)
    declared = None
    if upload.media_type is not None:
        declared = declared_type(upload.media_type, upload.field)
    actual = sniff(upload.content)
    if actual is None or (declared is not None and declared is not actual):
        details = {
            "field": upload.field,
            "declared": declared.media_type if declared else None,
            "found": actual.media_type if actual else "not a JPEG, PNG or WebP image",
        }
        raise ContentMismatch(details=details)
    return actual


def check_file_name(name: str, field: str) -> None:
    """Refuse a file name that could name a path; an empty one is fine, as names are never used.

    Stored objects get names of our own (see `domain.names`): this check is for honesty with the
    client, not for safety.
    """
    reason = _file_name_fault(name)
    if reason:
        raise BadFileName(details={"field": field, "reason": reason})


def _file_name_fault(name: str) -> str | None:
    folded = unicodedata.normalize("NFKC", name)
    bare = folded.strip(" .")
    faults = {
        "too_long": len(name) > _MAX_FILE_NAME_CHARS,
        "control_characters": any(unicodedata.category(char) in {"Cc", "Cs"} for char in name),
        "direction_override": bool(_BIDI_CONTROLS & set(name)),
        "separator": bool(_SEPARATORS & set(name + folded)),
        "only_dots": bool(name) and not bare,
        "device_name": bool(_DEVICE.fullmatch(bare) or _DRIVE.match(bare)),
        "encoded_path": bool(_ENCODED_PATH.search(folded)),
    }
    return next((reason for reason, found in faults.items() if found), None)

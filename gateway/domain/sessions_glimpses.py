"""What watchers see of an item before it is done: a small picture that is kept nowhere."""

from __future__ import annotations

import json
from dataclasses import dataclass

_END = b"\n"


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A JPEG of what item number `item` is to be, after `step` of `of` steps."""

    item: int
    step: int
    of: int
    picture: bytes

    def pack(self) -> bytes:
        """As it passes between processes."""
        return json.dumps([self.item, self.step, self.of]).encode() + _END + self.picture

    @classmethod
    def unpack(cls, packed: bytes) -> Glimpse | None:
        """Read it back; None for anything that is not one."""
        head, end, picture = packed.partition(_END)
        try:
            item, step, of = json.loads(head)
        except (ValueError, TypeError):
            return None
        if not end or not all(isinstance(number, int) for number in (item, step, of)):
            return None
        return cls(item, step, of, picture)

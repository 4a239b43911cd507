"""Files of garment features: whole or not there, never believed when they are wrong."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from handlers.diffusion.features_disk import Disk
from handlers.diffusion.features_pins import Pins
from handlers.diffusion.features_tier import Address
from handlers.errors import PinsFull

ADDRESS = Address("shirt", 501.0)
ROOM = 10**6
FEATURES = (torch.arange(24.0).reshape(1, 4, 6), torch.ones(1, 2, 3, dtype=torch.float16))


def written(folder: Path, *records: str, capacity: int = ROOM) -> Disk:
    disk = Disk(folder, capacity)
    for record in records or (ADDRESS.record,):
        disk.write(Address(record, ADDRESS.timestep), FEATURES)
    return disk


def only_file(folder: Path) -> Path:
    (file,) = folder.glob("*/*.safetensors")
    return file


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5])


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def replaced(file: Path) -> None:
    save_file({"000": torch.ones(3)}, file, metadata={"format": "something else"})


def of_another_garment(file: Path) -> None:
    other = file.parent.parent / "coat"
    other.mkdir()
    written(file.parent.parent, "coat")
    only_file_of(other).replace(file)


def only_file_of(folder: Path) -> Path:
    (file,) = folder.glob("*.safetensors")
    return file


def test_what_was_written_is_read_to_the_last_bit(tmp_path: Path) -> None:
    found = written(tmp_path).read(ADDRESS)
    assert found is not None
    for one, other in zip(found, FEATURES, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


@pytest.mark.parametrize("damage", [cut_short, emptied, flipped, replaced, of_another_garment])
def test_a_damaged_or_foreign_file_is_removed_and_was_never_there(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    disk = written(tmp_path)
    file = only_file(tmp_path)
    damage(file)
    assert disk.read(ADDRESS) is None
    assert not file.exists()
    assert disk.tally.held_bytes == 0
    disk.write(ADDRESS, FEATURES)
    assert disk.read(ADDRESS) is not None


def test_a_restart_knows_what_is_there_and_keeps_to_its_room(tmp_path: Path) -> None:
    written(tmp_path, "old", "new")
    size = (tmp_path / "old" / "501.safetensors").stat().st_size
    os.utime(tmp_path / "old" / "501.safetensors", (1, 1))
    assert Disk(tmp_path, ROOM).tally.held_bytes == 2 * size
    again = Disk(tmp_path, size)
    assert again.read(Address("new", 501.0)) is not None
    assert not list(tmp_path.glob("old/*.safetensors"))


def test_what_another_worker_wrote_is_found(tmp_path: Path) -> None:
    mine = Disk(tmp_path, ROOM)
    written(tmp_path)
    assert mine.read(ADDRESS) is not None
    assert mine.tally.held_bytes > 0


def test_what_was_left_half_written_long_ago_is_cleared_away(tmp_path: Path) -> None:
    part = tmp_path / "shirt" / "501.safetensors.77.part"
    part.parent.mkdir()
    part.write_bytes(b"half")
    Disk(tmp_path, ROOM)
    assert part.exists()  # somebody may be writing it
    os.utime(part, (1, 1))
    Disk(tmp_path, ROOM)
    assert not part.exists()


def test_a_folder_that_cannot_be_written_is_a_miss_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "shirt").write_text("a file where a folder should be")
    disk = Disk(tmp_path, ROOM)
    disk.write(ADDRESS, FEATURES)
    assert disk.read(ADDRESS) is None
    assert disk.tally.held_bytes == 0


def test_pins_outlive_a_restart_and_have_a_budget(tmp_path: Path) -> None:
    pins = Pins(100, Disk(tmp_path, ROOM))
    pins.add("shirt", 60)
    with pytest.raises(PinsFull) as refused:
        pins.add("coat", 50)
    assert refused.value.details == {"needed_bytes": 50, "free_bytes": 40}
    pins.add("shirt", 90)  # of more timesteps
    again = Pins(100, Disk(tmp_path, ROOM))
    assert ("shirt" in again, "coat" in again, again.nbytes) == (True, False, 90)
    assert again.remove("shirt")
    assert not Pins(100, Disk(tmp_path, ROOM)).remove("shirt")


def test_a_pin_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    Pins(100, Disk(tmp_path, ROOM)).add("shirt", 60)
    (tmp_path / "shirt" / "pinned.json").write_text("{")
    assert len(Pins(100, Disk(tmp_path, ROOM))) == 0


def test_a_pinned_garment_stays_on_the_disk(tmp_path: Path) -> None:
    disk = written(tmp_path)
    size = only_file(tmp_path).stat().st_size
    Pins(ROOM, disk).add("shirt", size)
    again = Disk(tmp_path, size)
    again.write(Address("coat", 501.0), FEATURES)
    assert again.read(ADDRESS) is not None
    assert again.read(Address("coat", 501.0)) is None

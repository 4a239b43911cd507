from gateway.domain.garments import Garment, id_of, is_id, new_id, picture_key, record_key
from gateway.domain.names import expiry_of
from gateway.domain.options import Category


def test_a_garment_never_looks_as_if_it_expired() -> None:
    garment_id = new_id(1_790_000_000, bytes(16))
    assert is_id(garment_id)
    for key in (garment_id, record_key(garment_id), picture_key(garment_id)):
        assert expiry_of(key) is None


def test_later_garments_sort_behind_earlier_ones() -> None:
    assert new_id(1_790_000_001, bytes(16)) > new_id(1_790_000_000, b"\xff" * 16)


def test_only_a_description_names_a_garment() -> None:
    garment_id = new_id(1_790_000_000, bytes(16))
    assert id_of(record_key(garment_id)) == garment_id
    assert id_of(picture_key(garment_id)) is None
    assert id_of("garments/readme.txt") is None
    assert not is_id("../secret")


def test_what_is_written_reads_back_and_anything_else_is_none_of_ours() -> None:
    garment = Garment(
        garment_id=new_id(1_790_000_000, bytes(16)),
        category=Category.DRESSES,
        garment_description=None,
        engine="geometric",
        pinned=True,
        created_at=1_790_000_000,
        width_px=96,
        height_px=120,
        warmed=False,
        reason="not_needed",
    )
    assert Garment.of(garment.model_dump_json().encode()) == garment
    assert garment.worn == {"category": "dresses"}
    assert Garment.of(b"{}") is None

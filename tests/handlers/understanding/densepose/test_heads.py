import pytest
import torch

from handlers.understanding.densepose.heads import pooled_by_size


@pytest.mark.parametrize(
    ("side_px", "level"),
    [(8, 2), (111, 2), (112, 3), (223, 3), (224, 4), (447, 4), (448, 5), (799, 5)],
)
def test_a_box_is_read_from_the_level_of_its_size(side_px: int, level: int) -> None:
    pyramid = [
        torch.full((1, 3, 800 >> shift, 800 >> shift), float(shift)) for shift in (2, 3, 4, 5)
    ]
    boxes = torch.tensor([[0.0, 0.0, 20.0, 20.0], [0.0, 0.0, side_px, side_px]])
    pooled = pooled_by_size(pyramid, boxes)
    assert pooled.shape == (2, 3, 7, 7)
    assert (pooled[0] == 2).all()
    assert (pooled[1] == level).all()


def test_the_area_decides_not_the_longer_side() -> None:
    pyramid = [
        torch.full((1, 1, 800 >> shift, 800 >> shift), float(shift)) for shift in (2, 3, 4, 5)
    ]
    assert (pooled_by_size(pyramid, torch.tensor([[0.0, 0.0, 60.0, 790.0]])) == 3).all()

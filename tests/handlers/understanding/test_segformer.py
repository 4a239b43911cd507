from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import SegformerForSemanticSegmentation
from transformers.models.segformer.image_processing_pil_segformer import SegformerImageProcessorPil

from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.understanding.contract import PARSE_LABELS
from handlers.understanding.segformer import SegformerParser
from tests.handlers.understanding import tiny_pretrained
from tests.handlers.understanding.densepose import tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pretrained.segformer(tmp_path_factory.mktemp("segformer"))


def test_labels_are_the_likeliest_classes_at_the_photos_own_size(folder: Path) -> None:
    photo = tiny.photo(200, 144)
    labels = SegformerParser(folder, "cpu").parse(photo)
    network = SegformerForSemanticSegmentation.from_pretrained(folder)
    prepared = SegformerImageProcessorPil.from_pretrained(folder)(photo, return_tensors="pt")
    with torch.no_grad():
        logits = network(**prepared).logits
    expected = functional.interpolate(logits, (200, 144), mode="bilinear")[0].argmax(0)
    assert labels.shape == (200, 144)
    assert labels.dtype == np.uint8
    assert np.array_equal(labels, expected.numpy())
    assert len(np.unique(labels)) > 2


def test_a_checkpoint_that_counts_its_classes_otherwise_means_the_same(
    folder: Path, tmp_path: Path
) -> None:
    names = [*reversed(tiny_pretrained.ATR_NAMES)]
    other = tiny_pretrained.segformer(tmp_path, names)  # the same network under other names
    photo = tiny.photo(96, 96)
    labels = SegformerParser(folder, "cpu").parse(photo)
    assert np.array_equal(SegformerParser(other, "cpu").parse(photo), 17 - labels)


def test_the_published_names_are_those_of_the_contract() -> None:
    published = [name.lower().replace("-", "_") for name in tiny_pretrained.ATR_NAMES]
    assert tuple(published) == PARSE_LABELS[:18]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["Wall", *tiny_pretrained.ATR_NAMES[1:]], "id2label: 'wall' is none of ATR's labels"),
        (tiny_pretrained.ATR_NAMES[:17], "id2label lacks 'scarf'"),
    ],
)
def test_a_checkpoint_of_other_labels_is_refused(
    tmp_path: Path, names: list[str], told: str
) -> None:
    tiny_pretrained.segformer(tmp_path, names)
    with pytest.raises(BadCheckpoint) as caught:
        SegformerParser(tmp_path, "cpu")
    assert str(caught.value) == f"{tmp_path / 'config.json'}: {told}"

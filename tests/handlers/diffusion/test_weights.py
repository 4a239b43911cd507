from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from handlers.diffusion.repository import BadCheckpoint
from handlers.diffusion.weights import load_into

FILE = Path("unet") / "diffusion_pytorch_model.safetensors"


def network() -> nn.Module:
    with torch.device("meta"):
        return nn.ModuleDict({"conv_in": nn.Conv2d(3, 2, 3), "norm": nn.BatchNorm2d(2)})


def state() -> dict[str, Tensor]:
    return {
        name: torch.full(tensor.shape, 3, dtype=tensor.dtype)
        for name, tensor in network().state_dict().items()
    }


def test_a_networks_weights_are_the_files_own_without_a_copy() -> None:
    module, given = network(), state()
    load_into(module, given, FILE)
    for name, tensor in module.state_dict().items():
        assert tensor.data_ptr() == given[name].data_ptr()


def test_numbers_are_converted_and_counters_are_not() -> None:
    module = network()
    load_into(module, state(), FILE, dtype=torch.float16, device="cpu")
    types = {name: tensor.dtype for name, tensor in module.state_dict().items()}
    assert types.pop("norm.num_batches_tracked") == torch.int64
    assert set(types.values()) == {torch.float16}


def test_a_renamed_key_is_named_under_both_names() -> None:
    given = state()
    given["conv_inn.weight"] = given.pop("conv_in.weight")
    with pytest.raises(BadCheckpoint) as caught:
        load_into(network(), given, FILE)
    assert str(caught.value) == f"{FILE}: lacks conv_in.weight; holds unknown conv_inn.weight"


def test_a_wrong_shape_is_named_with_both_shapes() -> None:
    given = state() | {"conv_in.weight": torch.zeros(2, 4, 3, 3)}
    with pytest.raises(BadCheckpoint, match=r"conv_in.weight is 2x4x3x3, expected 2x3x3x3"):
        load_into(network(), given, FILE)


def test_of_many_faults_the_first_is_named_and_the_rest_counted() -> None:
    with pytest.raises(BadCheckpoint, match=r"lacks conv_in.weight \(and 6 more\)$"):
        load_into(network(), {}, FILE)


def test_strays_that_are_known_may_stay_in_the_file() -> None:
    given = state() | {"add_embedding.linear_1.bias": torch.zeros(1)}
    load_into(network(), given, FILE, ignore=["add_embedding.*"])
    with pytest.raises(BadCheckpoint, match=r"holds unknown add_embedding\.linear_1\.bias"):
        load_into(network(), given, FILE)


def test_a_known_stray_excuses_no_missing_key() -> None:
    given = state()
    del given["conv_in.weight"]
    with pytest.raises(BadCheckpoint, match=r"lacks conv_in.weight"):
        load_into(network(), given, FILE, ignore=["*"])


def test_a_refused_file_leaves_the_module_as_it_was() -> None:
    module, given = network(), state()
    load_into(module, given, FILE)
    with pytest.raises(BadCheckpoint):
        load_into(module, {"conv_in.weight": torch.zeros(2, 3, 3, 3)}, FILE)
    assert all(torch.equal(now, given[name]) for name, now in module.state_dict().items())

from itertools import pairwise

import pytest

from handlers.diffusion import sdxl_memory
from handlers.diffusion.profiles import CARDS_GB, PROFILES
from handlers.diffusion.repository import SDXL, Repository
from handlers.diffusion.sdxl_memory import FITS
from handlers.diffusion.sdxl_settings import SdxlSettings
from handlers.settings import read
from tests.handlers.diffusion import sdxl_deployment, tiny_sdxl


def assembled(memory: str) -> sdxl_memory.Assembled:
    section = sdxl_deployment.sections()["handler"] | {"memory": memory}
    settings = read(SdxlSettings, section, "handler")
    return sdxl_memory.assemble(Repository(tiny_sdxl.repository(), SDXL), settings)


def test_every_card_has_its_choices() -> None:
    assert FITS.keys() == PROFILES.keys()


@pytest.mark.parametrize(("name", "card"), CARDS_GB.items())
def test_a_request_fits_its_card(name: str, card: int) -> None:
    assert FITS[name].needs_gb() <= card


def test_only_where_both_fit_pictures_are_decoded_beside_steps() -> None:
    assert {name for name, fit in FITS.items() if not fit.room.beside} == {"12gb"}


def test_a_larger_card_draws_no_fewer_at_once() -> None:
    assert all(one.room.at_once <= other.room.at_once for one, other in pairwise(FITS.values()))


def test_on_the_smallest_card_every_network_is_a_guest() -> None:
    nets = assembled("8gb").networks
    assert all(one in nets.visits for one in (nets.unet, nets.vae, *nets.text_encoders))
    assert nets.vae.use_tiling
    assert nets.unet not in assembled("12gb").networks.visits


def test_what_is_asked_for_is_never_exceeded() -> None:
    told = assembled("full").told()
    assert told == {
        "device": "cpu",
        "dtype": "float32",
        "memory": "full",
        "images_per_forward": 2,
    }

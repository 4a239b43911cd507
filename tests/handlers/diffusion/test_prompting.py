import os
import re
from itertools import product
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from handlers.diffusion.prompting import NEGATIVE, WORDS, Body, prompt, unknown_choice
from tests.handlers.diffusion import sdxl_deployment

SHIPPED: dict[str, Any] = yaml.safe_load(sdxl_deployment.CONFIG.read_text())["bodies"]
CLIP_TOKENS = 77
START_AND_END = 2
# What CLIP splits before it looks into its vocabulary: a word, a digit, a run of other signs.
PIECES = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|[^\s\w]+")
# Longer words become two or three tokens; so much room is left for them.
SPARE_TOKENS = 10

bodies = st.builds(
    Body,
    st.floats(140, 220),
    st.floats(40, 200),
    st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(sorted(words)) for name, words in WORDS.items()}
    ),
)


def every_body() -> list[Body]:
    """Give all choices there are, with every build and stature."""
    names = [[(option, name) for name in words] for option, words in WORDS.items()]
    builds = [(150, 40), (170, 60), (190, 100), (170, 95), (170, 110)]
    return [Body(*build, dict(chosen)) for chosen in product(*names) for build in builds]


@given(body=bodies)
def test_whoever_is_drawn_is_one_clothed_adult(body: Body) -> None:
    told = prompt(body)
    assert told.startswith("full body studio photograph of one adult ")
    assert "plain fitted" in told
    assert "plain light grey background" in told
    assert not re.search(r"child|teen|girl|boy|baby|young|nude|naked", told)


def test_what_must_not_be_drawn_is_said() -> None:
    unwished = set(NEGATIVE.split(", "))
    assert {"nude", "naked", "nsfw", "child", "teenager", "minor", "baby"} <= unwished


def test_words_follow_height_and_weight() -> None:
    assert "short" in prompt(Body(150, 60, {}))
    assert "tall" in prompt(Body(190, 80, {}))
    assert "very slender frame" in prompt(Body(180, 50, {}))
    assert "fuller figure" in prompt(Body(170, 80, {}))
    assert "very heavy figure" in prompt(Body(150, 150, {}))
    assert "figure" not in prompt(Body(175, 68, {}))


@pytest.mark.parametrize("option", WORDS)
def test_every_choice_changes_the_prompt(option: str) -> None:
    told = {prompt(Body(170, 65, {option: name})) for name in WORDS[option]}
    assert len(told) == len(WORDS[option])


@pytest.mark.prop(30)
@given(body=bodies, option=st.sampled_from(sorted(WORDS)), text=st.text())
def test_text_has_no_way_in(body: Body, option: str, text: str) -> None:
    if text not in WORDS[option]:
        with pytest.raises(KeyError):
            prompt(Body(body.height_cm, body.weight_kg, {option: text}))


def test_every_choice_on_offer_has_words() -> None:
    assert not unknown_choice(SHIPPED["choices"])
    assert unknown_choice({"pose": ("front", "upside_down")}) == "pose: upside_down"
    assert unknown_choice({"mood": ("glad",)}) == "mood: glad"


def test_a_prompt_leaves_room_for_words_of_several_tokens() -> None:
    longest = max(len(PIECES.findall(prompt(body))) for body in every_body())
    assert longest + START_AND_END + SPARE_TOKENS <= CLIP_TOKENS
    assert len(PIECES.findall(NEGATIVE)) + START_AND_END + SPARE_TOKENS <= CLIP_TOKENS


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("VTON_SDXL_MODEL"), reason="VTON_SDXL_MODEL is not set")
@pytest.mark.parametrize("part", ["tokenizer", "tokenizer_2"])
def test_a_prompt_fits_what_clip_reads(part: str) -> None:
    folder = f"{os.environ['VTON_SDXL_MODEL']}/{part}"
    tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    told = sorted({prompt(body) for body in every_body()}, key=len)[-2000:]
    assert max(len(ids) for ids in tokenizer([*told, NEGATIVE]).input_ids) <= CLIP_TOKENS

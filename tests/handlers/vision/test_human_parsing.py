"""One label map of two networks' labels."""

import numpy as np

from handlers.vision import human_parsing

UPPER, FACE, LEFT_ARM, NECK, LIP_FACE = 4, 11, 14, 18, 13


def test_a_small_hole_in_the_upper_garment_is_mended_and_a_large_one_stays() -> None:
    atr = np.zeros((512, 384), np.uint8)
    atr[100:400, 80:300] = UPPER
    atr[120:140, 100:120] = 0
    atr[200:260, 100:160] = 0  # more than 2000 pixels
    merged = human_parsing.merged(atr, np.zeros_like(atr))
    assert (merged[120:140, 100:120] == UPPER).all()
    assert not merged[200:260, 100:160].any()


def test_a_gap_between_arm_and_garment_is_mended_and_the_arm_stays() -> None:
    atr = np.zeros((512, 384), np.uint8)
    atr[100:400, 80:300] = UPPER
    atr[100:300, 300:330] = LEFT_ARM
    atr[150:200, 296:306] = 0
    merged = human_parsing.merged(atr, np.zeros_like(atr))
    assert (merged[150:200, 296:306] == UPPER).all()
    assert (merged[210:300, 300:330] == LEFT_ARM).all()


def test_a_gap_that_is_open_to_the_outside_stays() -> None:
    atr = np.zeros((60, 60), np.uint8)
    atr[10:, 10:50] = UPPER
    atr[40:, 25:35] = 0
    merged = human_parsing.merged(atr, np.zeros_like(atr))
    assert not merged[40:, 25:35].any()


def test_the_part_of_a_face_that_one_network_does_not_see_is_the_neck() -> None:
    atr = np.full((20, 20), FACE, np.uint8)
    lip = np.zeros_like(atr)
    lip[:12] = LIP_FACE
    merged = human_parsing.merged(atr, lip)
    assert (merged[:12] == FACE).all()
    assert (merged[12:] == NECK).all()


def test_a_network_s_answer_comes_back_to_the_photo_it_was_made_of() -> None:
    logits = np.zeros((2, 40, 40), np.float32)
    logits[1, 10:30, 10:30] = 4
    labels = human_parsing.labels_in_photo(logits, 512, 100, 200)
    assert labels.shape == (200, 100)
    assert labels[100, 50] == 1
    assert not labels[:30].any()
    assert abs(labels.mean() - 0.5) < 0.05  # half the square's height, all of the photo's width

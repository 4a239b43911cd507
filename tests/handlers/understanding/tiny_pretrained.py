"""Tiny random networks in the layouts that the person models are published in."""

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil
from transformers.models.segformer.image_processing_pil_segformer import SegformerImageProcessorPil
from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

ATR_NAMES = [
    "Background",
    "Hat",
    "Hair",
    "Sunglasses",
    "Upper-clothes",
    "Skirt",
    "Pants",
    "Dress",
    "Belt",
    "Left-shoe",
    "Right-shoe",
    "Face",
    "Left-leg",
    "Right-leg",
    "Left-arm",
    "Right-arm",
    "Bag",
    "Scarf",
]


def _saved(folder: Path, network: Any, processor: Any) -> Path:  # noqa: ANN401
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def segformer(folder: Path, names: list[str] = ATR_NAMES) -> Path:
    torch.manual_seed(0)
    config = transformers.SegformerConfig(
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
        hidden_sizes=[16, 32, 40, 64],
        depths=[1, 1, 1, 1],
        decoder_hidden_size=32,
    )
    network = transformers.SegformerForSemanticSegmentation(config)
    with torch.no_grad():  # noise over the whole range of classes
        network.decode_head.classifier.weight.mul_(100)
    processor = SegformerImageProcessorPil(size={"height": 128, "width": 128})
    _saved(folder, network, processor)
    # As the published repositories name it, which transformers' automatic classes do not know.
    file = folder / "preprocessor_config.json"
    told = json.loads(file.read_text()) | {"image_processor_type": "SegformerFeatureExtractor"}
    file.write_text(json.dumps(told))
    return folder


def rt_detr(folder: Path, names: tuple[str, ...] = ("person", "bicycle")) -> Path:
    torch.manual_seed(0)
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 24, 32],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = transformers.RTDetrConfig(
        backbone_config=backbone,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
        encoder_in_channels=[16, 24, 32],
        encoder_hidden_dim=32,
        d_model=32,
        decoder_attention_heads=4,
        encoder_attention_heads=4,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        encoder_layers=1,
        decoder_layers=2,
        num_queries=30,
        decoder_in_channels=[32, 32, 32],
        anchor_image_size=None,
    )
    processor = RTDetrImageProcessorPil(size={"height": 128, "width": 128})
    return _saved(folder, transformers.RTDetrForObjectDetection(config), processor)


def vitpose(folder: Path, experts: int = 1, points: int = 17) -> Path:
    torch.manual_seed(0)
    backbone = transformers.VitPoseBackboneConfig(
        image_size=(256, 192),
        patch_size=(16, 16),
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_experts=experts,
        part_features=12 if experts > 1 else 0,
        out_indices=None,
        out_features=["stage2"],
    )
    config = transformers.VitPoseConfig(
        backbone_config=backbone, num_labels=points, use_simple_decoder=True
    )
    network = transformers.VitPoseForPoseEstimation(config)
    return _saved(folder, network, VitPoseImageProcessorPil())

from __future__ import annotations

import json
import os
import struct

import pytest
import torch
from torch import nn

from backbones.config import BackboneConfig
from backbones.encoder import Encoder
from backbones.saved import MODEL_FORMAT, fill, read_model, save_model, write_tensors
from data.errors import UserError

CONFIG = BackboneConfig(width=16, depth=2, heads=2, impulse="grid", grid=(2, 3), graying="svd")


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.head = Encoder(CONFIG), nn.Linear(16, 3)


def saved(path, **changes) -> None:
    """An encoder's file with parts of its text changed."""
    from dataclasses import asdict

    text = {"format": MODEL_FORMAT, "kind": "encoder", "details": "{}"}
    text["backbone"] = json.dumps({**asdict(CONFIG), **changes.pop("config", {})})
    write_tensors(path, changes.pop("weights", Encoder(CONFIG).state_dict()), {**text, **changes})


def test_a_model_comes_back_whole(tmp_path) -> None:
    path, model = tmp_path / "model.safetensors", Classifier()
    save_model(path, model, CONFIG, "classifier", {"classes": ["cat", "dog", "ü"]})
    found = read_model(path)
    assert (found.kind, found.config) == ("classifier", CONFIG)
    assert found.details == {"classes": ["cat", "dog", "ü"]}
    other = Classifier()
    fill(other, found.weights)
    tokens = torch.randn(2, 6, 16)
    assert torch.equal(other.encoder(tokens), model.encoder(tokens))
    assert torch.equal(found.encoder()(tokens), model.encoder(tokens))
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_a_save_that_fails_leaves_the_previous_file(tmp_path, monkeypatch) -> None:
    path = tmp_path / "model.safetensors"
    save_model(path, Encoder(CONFIG), CONFIG)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        save_model(path, Encoder(CONFIG), CONFIG)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["model.safetensors"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "darb3d-1"}, "expected the format darb3d-model-1, found darb3d-1"),
        ({"backbone": "[1, 2"}, "expected JSON in `backbone`"),
        ({"backbone": "[1, 2]"}, "expected an object in `backbone`, found list"),
        ({"details": "[" * 100_000}, "expected JSON in `details`"),
        ({"config": {"colour": 1}}, "found 'colour'; a newer version"),
        ({"config": {"width": "16"}}, "expected width of <class 'int'>, found '16'"),
        ({"config": {"width": True}}, "expected width"),
        ({"config": {"width": 10**9}}, "expected width"),
        ({"config": {"depth": 900_000}}, "numbers for its backbone"),
        ({"config": {"mlp_ratio": float("nan")}}, "expected mlp_ratio"),
        ({"config": {"graying": "fft"}}, "expected graying"),
        ({"config": {"grid": [2]}}, "expected grid"),
        ({"config": {"grid": ["2", 3]}}, "expected grid"),
        ({"config": {"attention": "poly2"}}, "exclude each other"),
        ({"config": {"lean": 1}}, "expected lean"),
    ],
)
def test_a_spoilt_file_is_one_line(tmp_path, changes: dict, message: str) -> None:
    path = tmp_path / "model.safetensors"
    saved(path, **changes)
    with pytest.raises(UserError, match=message) as caught:
        read_model(path)
    assert str(path) in str(caught.value) and len(str(caught.value)) < 300


def test_numbers_that_are_none_are_refused(tmp_path) -> None:
    weights = Encoder(CONFIG).state_dict()
    weights["norm.weight"][3] = float("nan")
    saved(tmp_path / "model", weights=weights)
    with pytest.raises(UserError, match="finite numbers, found others in norm"):
        read_model(tmp_path / "model")


def test_weights_of_another_shape_are_refused(tmp_path) -> None:
    weights = Encoder(CONFIG).state_dict()
    weights["norm.weight"], weights["norm.bias"] = torch.zeros(15), torch.zeros(17)
    saved(tmp_path / "model", weights=weights)
    with pytest.raises(UserError, match=r"expected norm.bias of shape \(16,\), found \(17,\)"):
        read_model(tmp_path / "model").encoder()


@pytest.mark.parametrize(
    "content", [b"", b"no model", struct.pack("<Q", 2**62) + b"{}", b"\x80\x04pickle" * 50]
)
def test_a_foreign_file_is_one_line(tmp_path, content: bytes) -> None:
    (tmp_path / "model").write_bytes(content)
    with pytest.raises(UserError, match="expected a safetensors file of darb3d"):
        read_model(tmp_path / "model")
    with pytest.raises(UserError, match="expected a safetensors file"):
        read_model(tmp_path / "none")


def test_a_truncated_file_is_one_line(tmp_path) -> None:
    path = tmp_path / "model"
    save_model(path, Encoder(CONFIG), CONFIG)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="expected a safetensors file"):
        read_model(path)

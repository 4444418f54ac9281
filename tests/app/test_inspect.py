from __future__ import annotations

import json

import pytest
import torch
import tyro

from app.__main__ import main
from backbones.config import BackboneConfig
from backbones.encoder import Encoder
from backbones.saved import save_model
from lifting.lifter_files import shipped_weights
from pointcloud.classifier_files import SavedClassifier, new_model, save_classifier
from pointcloud.config import GaussianConfig, GaussianNetConfig, TransformerConfig

PLAIN = {"width": 16, "depth": 2, "heads": 2, "head_dim": 8}
MODELS = {
    "3dgpe": GaussianNetConfig(64, 16, encoder=GaussianConfig(4)),
    "transformer": TransformerConfig(64, 8, 4, BackboneConfig(**PLAIN)),
}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"impulse": "grid", "grid": (3, 4), "conditioning": 0.1},
        {"mixer": "conv", "frozen": "spatial"},
        {"mixer": "tokens", "tokens": 6},
        {"lean": True, "tokens": 20, "attention": "poly3", "skips": "none"},
        {"depth": 1, "width": 400, "mlp_ratio": 1.0},
    ],
)
def test_options_and_spectra_are_printed(tmp_path, capsys, options: dict) -> None:
    path, config = tmp_path / "model.safetensors", BackboneConfig(**{**PLAIN, **options})
    encoder = Encoder(config)
    save_model(path, encoder, config)
    assert main(["inspect", str(path)]) == 0
    text = capsys.readouterr().out
    assert "encoder, " in text and "kappa of heads" in text and "stable rank" in text
    assert all(f"{name}={value}" in text for name, value in options.items() if name != "depth")
    assert main(["inspect", str(path), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["numbers"] == sum(w.numel() for w in encoder.state_dict().values())
    assert len(content["blocks"]) == len(encoder.blocks)
    layer = next(one for one in content["layers"] if one["name"] == "blocks.0.mlp_in.weight")
    s = torch.linalg.svdvals(encoder.blocks[0].mlp_in.weight.detach().double())
    assert layer["kappa"] == pytest.approx(float(s[0] / s[-1]))
    assert content["blocks"][0]["jacobian_kappa"] > 1
    assert (content["blocks"][0]["heads_kappa"] is None) == ("mixer" in options)


@pytest.mark.parametrize("kind", ["3dgpe", "transformer"])
def test_the_card_of_a_classifier(tmp_path, capsys, kind: str) -> None:
    path, config = tmp_path / "model.safetensors", MODELS[kind]
    about = {"data": "solids.npz", "seed": 3, "held_out": {"clouds": 1234, "accuracy": 0.9}}
    about["note"] = "ends\x1b[2J" + 1000 * "x"
    save_classifier(path, SavedClassifier(new_model(config, 2, 0), ("ball", "disc"), about))
    assert main(["inspect", str(path)]) == 0
    text = capsys.readouterr().out
    assert "data: solids.npz" in text and "classes: 2 (ball, disc)" in text
    assert "held out: clouds 1,234, accuracy 0.9" in text and "up z" in text
    assert "\x1b" not in text and max(map(len, text.splitlines())) < 500
    assert ("kappa of heads" in text) == (kind == "transformer")
    assert main(["inspect", str(path), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["training"] == about and content["preparation"]["points"] == config.points
    assert ("blocks" in content) == (kind == "transformer")


def test_the_card_of_a_lifter(capsys) -> None:
    path = str(shipped_weights("share-alike"))
    assert main(["inspect", path]) == 0
    shown = capsys.readouterr().out
    assert "licences: CC-BY-SA-3.0" in shown and "fa mpjpe" in shown
    assert "measured: unseen rigs" in shown
    assert main(["inspect", path, "--json"]) == 0
    assert "0ad_fauna__horse" in json.loads(capsys.readouterr().out)["training"]["rigs"]


def test_a_file_that_is_no_model_is_one_line(tmp_path, capsys) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"splats")
    assert main(["inspect", str(tmp_path / "x.safetensors")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1


def test_every_option_is_one_of_the_command_line() -> None:
    """As `--backbone.OPTION`, from the nested configuration of any command."""
    from dataclasses import dataclass, field

    @dataclass(frozen=True)
    class Train:
        backbone: BackboneConfig = field(default_factory=BackboneConfig)

    words = "--backbone.attention poly3 --backbone.attention-scale learned --backbone.lean"
    words += " --backbone.tokens 64 --backbone.conditioning 0.1 --backbone.graying svd"
    words += " --backbone.skips none --backbone.no-skip-free-init --backbone.activation sinc"
    words += " --backbone.activation-scale 0.5 --backbone.grid 3 4 --backbone.parents -1 0 1"
    flags = (tyro.conf.FlagCreatePairsOff,)
    config = tyro.cli(Train, args=words.split(), config=flags).backbone
    assert config == BackboneConfig(
        attention="poly3",
        attention_scale="learned",
        lean=True,
        tokens=64,
        conditioning=0.1,
        graying="svd",
        skips="none",
        skip_free_init=False,
        activation="sinc",
        activation_scale=0.5,
        grid=(3, 4),
        parents=(-1, 0, 1),
    )
    words = "--backbone.mixer conv --backbone.frozen smoothed --backbone.impulse line"
    assert tyro.cli(Train, args=words.split(), config=flags).backbone.frozen == "smoothed"


def test_an_impossible_pair_on_the_command_line_is_told(capsys) -> None:
    from dataclasses import dataclass, field

    @dataclass(frozen=True)
    class Train:
        backbone: BackboneConfig = field(default_factory=BackboneConfig)

    words = ["--backbone.mixer", "conv", "--backbone.attention", "poly2"]
    with pytest.raises(SystemExit, match="2"):
        tyro.cli(Train, args=words)
    text = " ".join(capsys.readouterr().err.split())
    assert "mixer=conv and attention=poly2 exclude each other: there are no scores" in text

"""Files of adapters: exact, as small as their numbers, and for one base alone."""

from __future__ import annotations

import math

import pytest
import torch
from safetensors import safe_open
from torch import nn

from backbones.adapter_files import fingerprint, load_adapter, save_adapter, theoretical_bytes
from backbones.adapters import AdapterConfig, adapters_of, attach, detach
from backbones.config import BackboneConfig
from backbones.encoder import Encoder
from data.errors import UserError

SMALL = BackboneConfig(width=64, depth=3, heads=4, head_dim=16)


def encoder(seed: int = 0) -> Encoder:
    torch.manual_seed(seed)
    return Encoder(SMALL)


def adapted(kind: str = "sine-lora", rank: int = 4) -> tuple[Encoder, AdapterConfig]:
    model, config = encoder(), AdapterConfig(kind, rank)
    generator = torch.Generator().manual_seed(3)
    for adapter in attach(model, config, generator).values():
        with torch.no_grad():
            for value in adapter.parameters():
                value.add_(0.05 * torch.randn(value.shape, generator=generator))
    return model, config


def weights(model: nn.Module) -> list[torch.Tensor]:
    return [model.blocks[i].mlp_in.weight for i in range(3)]


@pytest.mark.parametrize("kind", ["lora", "dora", "sine-lora", "sine-dora", "tanh-lora"])
@pytest.mark.parametrize("bits", [None, 4])
def test_what_is_read_is_what_was_on_the_model(tmp_path, kind, bits) -> None:
    model, config = adapted(kind)
    extra = {"head.weight": torch.randn(3, 5)}
    path = tmp_path / "a.safetensors"
    size = save_adapter(path, model, config, bits=bits, extra=extra, text={"classes": "[1]"})
    assert size == path.stat().st_size
    again = encoder()
    loaded = load_adapter(path, again)
    assert (loaded.config, loaded.bits, loaded.text) == (config, bits, {"classes": "[1]"})
    torch.testing.assert_close(loaded.extra["head.weight"], extra["head.weight"], rtol=1e-3, atol=0)
    for found, expected in zip(weights(again), weights(model), strict=True):
        if bits is None or "dora" not in kind:
            assert torch.equal(found, expected)
        else:  # row lengths are stored in halves
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_quantised_file_is_as_large_as_its_numbers_and_its_header(tmp_path, bits) -> None:
    model, config = adapted()
    path = tmp_path / "a.safetensors"
    size = save_adapter(path, model, config, bits=bits)
    with open(path, "rb") as stream:
        header = 8 + int.from_bytes(stream.read(8), "little")
    numbers = sum(
        math.ceil(count * bits / 8) + 2 * 2**bits + 4
        for shapes in ([(4, 64), (64, 4)] * 4, [(4, 64), (128, 4)], [(4, 128), (64, 4)])
        for count in (math.prod(shape) for shape in shapes)
        for _ in range(3)
    )
    assert numbers == theoretical_bytes(adapters_of(model), bits)
    assert size == numbers + header
    assert header < 700


def test_four_bits_are_within_five_percent_of_theory(tmp_path) -> None:
    torch.manual_seed(0)
    model = Encoder(BackboneConfig(width=96, depth=4, heads=6, head_dim=16))
    config = AdapterConfig("sine-lora", 4)
    attach(model, config)
    size = save_adapter(tmp_path / "a.safetensors", model, config, bits=4)
    theory = theoretical_bytes(adapters_of(model), 4)
    assert theory < size <= 1.05 * theory


def test_a_wrong_base_is_refused_and_left_alone(tmp_path) -> None:
    model, config = adapted()
    path = tmp_path / "a.safetensors"
    save_adapter(path, model, config)
    other = encoder(seed=1)
    before = fingerprint(other)
    with pytest.raises(UserError, match=r"a\.safetensors: expected the base it was trained on"):
        load_adapter(path, other)
    assert fingerprint(other) == before and not adapters_of(other)


def test_a_fingerprint_is_of_the_base_and_of_all_of_it() -> None:
    model, _ = adapted()
    assert fingerprint(model) == fingerprint(encoder())
    detach(model)
    assert fingerprint(model) == fingerprint(encoder())
    with torch.no_grad():
        model.blocks[2].mlp_norm.bias[3] += 1e-6
    assert fingerprint(model) != fingerprint(encoder())


def test_spoilt_files_are_one_line(tmp_path) -> None:
    model, config = adapted()
    path = tmp_path / "a.safetensors"
    save_adapter(path, model, config, bits=3)
    whole = path.read_bytes()
    for content in (b"", whole[:-5], whole[:40], b"x" * 100):
        path.write_bytes(content)
        with pytest.raises(UserError, match="expected"):
            load_adapter(path, encoder())
    swaps = [(b'\\"rank\\":4', b'\\"rank\\":3'), (b'"bits":"3"', b'"bits":"9"')]
    swaps += [(b'\\"kind\\"', b'\\"kine\\"'), (b"sine-lora", b"fine-lora")]
    swaps += [(b'\\"rank\\":4', b'\\"rank\\":-'), (b'\\"alpha\\":8.0', b'\\"alpha\\":"x"')]
    for old, new in swaps:
        assert old in whole
        path.write_bytes(whole.replace(old, new))
        model = encoder()
        with pytest.raises(UserError, match=r"a\.safetensors: expected"):
            load_adapter(path, model)
        assert not adapters_of(model)


def test_the_header_says_what_it_is(tmp_path) -> None:
    model, config = adapted()
    save_adapter(tmp_path / "a.safetensors", model, config, bits=4)
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        assert file.metadata()["format"] == "darb3d-adapter-1"
        assert set(file.keys()) == {"codes", "tables", "scales"}

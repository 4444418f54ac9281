from __future__ import annotations

from math import inf

import pytest
import torch

from backbones import spectra
from backbones.config import BackboneConfig
from backbones.encoder import Encoder


def test_by_hand() -> None:
    matrix = torch.diag(torch.tensor([4.0, 2.0, 1.0]))
    assert float(spectra.kappa(matrix)) == 4
    assert float(spectra.stable_rank(matrix)) == pytest.approx(21 / 16)
    assert float(spectra.kappa(torch.diag(torch.tensor([1.0, 0.0])))) == inf
    assert float(spectra.stable_rank(torch.zeros(2, 2))) == 0
    # s > cut-off = sqrt(1 - 0.5^(1 / q)) s_max: 0.71 s_max, then 0.29 s_max
    assert spectra.effective_bandwidth(matrix, 1) == 1
    assert spectra.effective_bandwidth(matrix, 8) == 2
    assert spectra.effective_bandwidth(matrix, 100) == 3
    assert spectra.effective_bandwidth(torch.zeros(2, 2), 5) == 0


def test_float64_sees_what_float32_cannot() -> None:
    matrix = torch.diag(torch.tensor([1.0, 1e-10]))
    assert float(spectra.kappa(matrix)) == pytest.approx(1e10, rel=1e-6)


def test_the_jacobian_of_a_linear_map_is_the_map() -> None:
    weight = torch.randn(6, 4, dtype=torch.float64)
    x = torch.randn(4)
    assert torch.allclose(spectra.jacobian(lambda v: weight @ v, x), weight)
    assert spectra.jacobian_kappa(lambda v: weight @ v, x) == pytest.approx(
        float(spectra.kappa(weight))
    )
    with pytest.raises(ValueError, match="at most 1024 outputs, found 3000"):
        spectra.jacobian(lambda v: v, torch.zeros(3000))


def test_attention_kappa_is_that_of_the_concatenated_heads() -> None:
    encoder = Encoder(BackboneConfig(width=16, depth=2, heads=4, head_dim=8)).double()
    tokens = torch.randn(1, 6, 16, dtype=torch.float64)
    mixer = encoder.blocks[0].mixer
    normal = encoder.blocks[0].mixer_norm(tokens)
    values = mixer.split(mixer.v_proj(normal))
    heads = (mixer.scores(normal).softmax(-1) @ values).transpose(1, 2).flatten(2)
    found = spectra.attention_kappa(encoder, tokens)
    assert len(found) == 2 and found[0] == pytest.approx(float(spectra.kappa(heads[0])), rel=1e-6)
    assert not encoder.blocks[0].mixer.out_proj._forward_pre_hooks

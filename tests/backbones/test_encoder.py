from __future__ import annotations

import pytest
import torch

from backbones.attention import allowed_pairs, softmax_attention
from backbones.config import BackboneConfig
from backbones.encoder import Encoder


def encoder(**options: object) -> tuple[Encoder, torch.Tensor]:
    torch.manual_seed(0)
    config = BackboneConfig(**{"width": 24, "depth": 2, "heads": 3, "head_dim": 5, **options})
    return Encoder(config).double(), torch.randn(2, 7, 24, dtype=torch.float64)


def plain(q, k, v, allowed):
    """The definition, one row at a time."""
    out = torch.zeros_like(q)
    for b, h, i in torch.cartesian_prod(*(torch.arange(n) for n in q.shape[:3])).tolist():
        open_ = allowed[b, 0, i].nonzero().flatten()
        if len(open_):
            weights = (k[b, h, open_] @ q[b, h, i] / q.shape[-1] ** 0.5).softmax(0)
            out[b, h, i] = weights @ v[b, h, open_]
    return out


def test_attention_is_its_definition_under_any_mask() -> None:
    torch.manual_seed(1)
    q, k, v = torch.randn(3, 2, 3, 6, 4, dtype=torch.float64)
    pairs = torch.rand(2, 6, 6) < 0.5
    pairs[0, 2] = False
    keys = torch.rand(2, 6) < 0.7
    allowed = allowed_pairs(keys, pairs)
    expected = plain(q, k, v, allowed)
    assert torch.allclose(softmax_attention(q, k, v, allowed), expected, atol=1e-12)
    assert (softmax_attention(q, k, v, allowed)[0, :, 2] == 0).all()


def test_a_row_that_looks_nowhere_has_finite_gradients() -> None:
    q, k, v = (torch.randn(1, 1, 3, 2, requires_grad=True) for _ in range(3))
    nothing = torch.zeros(1, 1, 1, 3, dtype=torch.bool)
    softmax_attention(q, k, v, nothing).sum().backward()
    assert all((tensor.grad == 0).all() for tensor in (q, k, v))


def test_padding_changes_nothing() -> None:
    model, tokens = encoder()
    padded = torch.cat([tokens, torch.full((2, 3, 24), 7.0, dtype=torch.float64)], 1)
    mask = torch.arange(10).expand(2, 10) < 7
    out = model(padded, key_mask=mask)
    assert torch.allclose(out[:, :7], model(tokens), atol=1e-12)
    assert (out[:, 7:] == 0).all()


def test_tokens_are_a_set() -> None:
    model, tokens = encoder()
    order = torch.randperm(7)
    assert torch.allclose(model(tokens)[:, order], model(tokens[:, order]), atol=1e-12)


def test_layers_have_telling_names_and_their_own_sizes() -> None:
    model, _ = encoder(mlp_ratio=3.0)
    shapes = {name: tuple(p.shape) for name, p in model.blocks[0].named_parameters()}
    assert shapes["mixer.q_proj.weight"] == shapes["mixer.v_proj.weight"] == (15, 24)
    assert shapes["mixer.out_proj.weight"] == (24, 15)
    assert shapes["mlp_in.weight"] == (72, 24) and shapes["mlp_out.weight"] == (24, 72)


def test_wrong_shapes_are_refused() -> None:
    model, tokens = encoder()
    with pytest.raises(ValueError, match=r"expected \(b, n, 24\), found \(2, 7, 23\)"):
        model(tokens[..., 1:])
    with pytest.raises(ValueError, match="key_mask: expected bool"):
        model(tokens, key_mask=torch.ones(2, 7))
    with pytest.raises(ValueError, match="attention_mask"):
        model(tokens, attention_mask=torch.ones(7, 6, dtype=torch.bool))


@pytest.mark.parametrize("field", ["width", "depth", "heads", "head_dim", "mlp_ratio"])
def test_sizes_are_positive(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        BackboneConfig(**{field: 0})

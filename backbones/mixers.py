"""Spatial mixing that is a kernel of its own, and may stay random (arXiv 2503.16760).

A convolution is factored into a part over tokens (depthwise: one kernel a channel) and a part over
channels (pointwise). The paper freezes the first at its random start and trains the second alone.
Here tokens are ordered: frames, joints, or points along a curve (`ordering.morton_order`).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from backbones.activations import Activation
from backbones.config import BackboneConfig

_BLUR = (0.25, 0.5, 0.25)
"""One binomial step: a Gaussian blur of variance 1/2."""
_BLURS = 2


class ConvMixer(nn.Module):
    """A depthwise convolution along the tokens, an activation, a pointwise layer."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        width, taps = config.width, config.conv_kernel
        self.depthwise = nn.Conv1d(width, width, taps, padding=taps // 2, groups=width)
        self.activation = Activation(config.activation, config.activation_scale)
        self.out_proj = nn.Linear(width, width)

    def forward(
        self,
        tokens: Float[Tensor, "b n w"],
        key_mask: Bool[Tensor, "b n"] | None = None,
        attention_mask: Bool[Tensor, "*b n n"] | None = None,
        attention_bias: Float[Tensor, "b h n n"] | None = None,
    ) -> Float[Tensor, "b n w"]:
        tokens = _without_padding(tokens, key_mask, attention_mask, attention_bias)
        mixed = self.depthwise(tokens.transpose(1, 2)).transpose(1, 2)
        return self.out_proj(self.activation(mixed))


class TokenMixer(nn.Module):
    """An MLP over a fixed number of tokens, the same for every channel (MLP-Mixer); `heads` groups
    of hidden units, as many in each as there are tokens."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        assert config.places is not None  # the configuration has seen to it
        self.places = config.places
        self.token_in = nn.Linear(self.places, config.heads * self.places)
        self.activation = Activation(config.activation, config.activation_scale)
        self.token_out = nn.Linear(config.heads * self.places, self.places)

    def forward(
        self,
        tokens: Float[Tensor, "b n w"],
        key_mask: Bool[Tensor, "b n"] | None = None,
        attention_mask: Bool[Tensor, "*b n n"] | None = None,
        attention_bias: Float[Tensor, "b h n n"] | None = None,
    ) -> Float[Tensor, "b n w"]:
        tokens = _without_padding(tokens, key_mask, attention_mask, attention_bias).transpose(1, 2)
        return self.token_out(self.activation(self.token_in(tokens))).transpose(1, 2)


@torch.no_grad()
def smooth(kernels: Float[Tensor, "... k"]) -> Float[Tensor, "... k"]:
    """Kernels blurred along their last axis, each with its old norm."""
    blur = kernels.new_tensor(_BLUR)[None, None]
    rows = kernels.reshape(-1, 1, kernels.shape[-1])
    for _ in range(_BLURS):
        rows = functional.conv1d(functional.pad(rows, (1, 1), mode="replicate"), blur)
    norms = kernels.norm(dim=-1, keepdim=True)
    blurred = rows.reshape(kernels.shape)
    return blurred * (norms / blurred.norm(dim=-1, keepdim=True).clamp(min=1e-12))


def spatial_layers(module: nn.Module) -> list[nn.Module]:
    """The layers of `module` that mix tokens by weights: depthwise convolutions, token MLPs."""
    found: list[nn.Module] = []
    for layer in module.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d) and layer.groups == layer.in_channels > 1:
            found.append(layer)
        elif isinstance(layer, TokenMixer):
            found += [layer.token_in, layer.token_out]
    return found


def freeze(module: nn.Module, what: str) -> None:
    """Keep weights of `module` at what they are: `spatial`, `smoothed` (after a blur), `channels`
    (linear and pointwise layers) or `all` of these; norms go on learning, as do the biases of no
    frozen layer. Works on any module with depthwise convolutions."""
    spatial = spatial_layers(module)
    if what == "smoothed":
        for layer in spatial:
            layer.weight.data.copy_(smooth(layer.weight.data))  # type: ignore[union-attr]
    if what in ("spatial", "smoothed", "all"):
        for layer in spatial:
            layer.requires_grad_(False)
    if what in ("channels", "all"):
        for layer in module.modules():
            if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d) and layer not in spatial:
                layer.requires_grad_(False)


def _without_padding(
    tokens: Tensor, key_mask: Tensor | None, pairs: Tensor | None, bias: Tensor | None
) -> Tensor:
    for name, given in (("attention_mask", pairs), ("attention_bias", bias)):
        if given is not None:
            raise ValueError(f"{name}: expected none with mixer=conv or tokens, found one")
    return tokens if key_mask is None else tokens.masked_fill(~key_mask[..., None], 0.0)

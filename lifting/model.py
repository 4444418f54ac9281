"""The space-time lifter: tokens of joints in frames, mixed over space and over time in turns, to
places in the camera's axes.

A token knows where its point is seen (random Fourier features) and, where names tell, on which side
of the animal, never which joint it is: permuted joints come out permuted. In space a joint looks at
its neighbours along the edges in half of the heads and at all joints in the others. In time it
looks at near frames, and at a frame that stands for the whole window and gathers what the animal is
like. Each frame has a token of its own beside its joints, for the camera.

With depth as output a point lies on its own ray: where a joint is seen at u (in sizes of the
animal, from the middle of the clip), it is put at ((u + d)(1 + k (s + z)), s + z), z its depth in
the animal, s that of the animal's path, d a correction, and k the size over the distance of the
camera, 0 for weak perspective.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from backbones.block import Block
from backbones.encoder import Encoder
from lifting.config import LifterConfig
from lifting.graphs import FARTHEST
from lifting.inputs import FRAME, JOINT, PAIR, POINT, LiftInputs

_PAIR_WIDTH = 16
_SIDE = 2
"""Numbers of a joint about its side: which one, and whether any joint's is known; and of a pair:
whether they lie across from each other, and whether on one side or on both."""
_MOST_NEARNESS = 0.5
"""No camera is nearer than two sizes of the animal, which is less than its length."""
_CLOSE = -1.0
"""Where the camera's nearness starts from: an animal 7 sizes away."""
_RADIUS = -1.5
_NEAREST = 0.2
"""No point comes nearer to the camera than this share of the animal's distance."""


@dataclass(frozen=True, eq=False)
class LiftOutputs:
    """In sizes of the animal, in the camera's axes."""

    xyz: Float[Tensor, "b t j 3"]
    radius: Float[Tensor, "b t j"]
    """Within which a joint lies in 68 of 100 cases."""
    up: Float[Tensor, "b 3"]
    """Against gravity, a unit vector."""
    nearness: Float[Tensor, "b"]
    """Size of the animal over its distance from the camera."""
    rays: Float[Tensor, "b t j 2"]
    """Where the points fall in the picture, in the units of `LiftInputs.place`."""


def away(depth: Float[Tensor, "*n"]) -> Float[Tensor, "*n 1"]:
    """Distances from the camera over that of the animal's middle."""
    return (1 + depth).clamp(min=_NEAREST)[..., None]


def centred(depth: Float[Tensor, "b t j"], given: LiftInputs) -> Float[Tensor, "b t j"]:
    """Depths whose mean over the clip is zero. Without it depth and nearness could grow together:
    the animal would only become larger, which no aligned error sees."""
    mask = given.frame_mask[:, :, None] & given.joint_mask[:, None]
    total = mask.sum((1, 2)).clamp(min=1).to(depth.dtype)
    middle = depth.masked_fill(~mask, 0.0).sum((1, 2)) / total
    return depth - middle[:, None, None]


class RandomFourier(nn.Module):
    """sqrt(2 / D) [sin(x w + b), cos(x w + b)], w and b drawn once (3D-LFM's encoding)."""

    frequencies: Tensor
    phases: Tensor

    def __init__(self, inputs: int, count: int, scale: float) -> None:
        super().__init__()
        self.register_buffer("frequencies", scale * torch.randn(inputs, count))
        self.register_buffer("phases", 2 * torch.pi * torch.rand(count))

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n d"]:
        turn = x @ self.frequencies + self.phases
        return torch.cat([turn.sin(), turn.cos()], dim=-1) * max(1, turn.shape[-1]) ** -0.5


class Lifter(nn.Module):
    """Tracks of any number of joints and frames to 3D."""

    def __init__(self, config: LifterConfig) -> None:
        super().__init__()
        self.config = config
        backbone = config.backbone
        width, heads = backbone.width, backbone.heads
        self.encoder = Encoder(backbone)
        self.fourier = RandomFourier(2, config.fourier, config.fourier_scale)
        self.point_in = nn.Linear(POINT + 2 * config.fourier, width)
        told = _SIDE if config.sides else 0
        self.joint_in = nn.Linear(JOINT + told, width)
        self.rig_in = nn.Linear(JOINT + told, width) if config.context else None
        self.frame_in = nn.Linear(FRAME, width)
        self.kinds = nn.Parameter(0.02 * torch.randn(3, width))
        """What marks the token of a frame, of the window, and of both."""
        layers = backbone.depth // 2
        self.pair_in = nn.Sequential(
            nn.Linear(PAIR + FARTHEST + 1 + told, _PAIR_WIDTH),
            nn.GELU(),
            nn.Linear(_PAIR_WIDTH, 16),
        )
        self.pair_bias = nn.ModuleList(nn.Linear(16, heads) for _ in range(layers))
        self.time_bias = nn.Parameter(torch.zeros(layers, heads, 2 * config.window + 1))
        numbers = 4  # a correction and a depth, or a place in the animal's frame; a radius
        self.head_in, self.head_out = nn.Linear(width, width), nn.Linear(width, numbers)
        self.frame_head = nn.Linear(width, 7)
        self.clip_head = nn.Linear(width, 4)
        with torch.no_grad():
            for layer in (self.head_out, self.frame_head, self.clip_head):
                layer.weight.mul_(0.1)
                layer.bias.zero_()
            self.head_out.bias[3] = _RADIUS
            self.clip_head.bias[3] = _CLOSE

    def forward(self, given: LiftInputs) -> LiftOutputs:
        batch, frames, joints = given.place.shape[:3]
        with torch.autocast(given.place.device.type, enabled=False):
            tokens = self._tokens(given)  # places and phases need more digits than bfloat16 has
        tokens = self._mixed(tokens, given)
        first = int(self.config.context)
        by_frame, by_joint = tokens[:, first:, 0], tokens[:, first:, 1:]
        numbers = self.head_out(functional.gelu(self.head_in(by_joint)))
        of_frame = self.frame_head(by_frame)
        if self.config.context:
            of_clip = self.clip_head(tokens[:, 0, 0])
        else:
            counts = given.frame_mask[..., None].to(by_frame.dtype)
            of_clip = self.clip_head((by_frame * counts).sum(1) / counts.sum(1))
        nearness = _MOST_NEARNESS * of_clip[:, 3].sigmoid()
        near = nearness[:, None, None]
        path = of_frame[..., :1]
        if self.config.output == "depth":
            depth = centred(path + numbers[..., 2], given)
            rays = given.middle[:, :, None] + given.place + numbers[..., :2]
            xyz = torch.cat([rays * away(near * depth), depth[..., None]], dim=-1)
        else:
            rotation = _rotation(of_frame[..., 1:])
            shape = numbers[..., :3] @ rotation.transpose(-1, -2)
            path = centred(path.expand(batch, frames, joints), given)[..., :1]
            depth = path[..., None].expand(batch, frames, joints, 1)
            xy = given.middle[:, :, None].expand(batch, frames, joints, 2)
            xyz = shape + torch.cat([xy * away(near * path), depth], dim=-1)
            rays = xyz[..., :2] / away(near * xyz[..., 2])
        up = functional.normalize(of_clip[:, :3] + of_clip.new_tensor([0.0, -0.1, 0.0]), dim=-1)
        radius = functional.softplus(numbers[..., 3])
        return LiftOutputs(xyz, radius, up, nearness, rays)

    def _tokens(self, given: LiftInputs) -> Float[Tensor, "b t j w"]:
        """Joints in frames; before them a token of the frame, before the frames those of the
        window."""
        point = torch.cat([self.fourier(given.place), given.point], dim=-1)
        joint = self._joint_numbers(given)
        tokens = self.point_in(point) + self.joint_in(joint)[:, None]
        of_frame = self.frame_in(given.frame) + self.kinds[0]
        tokens = torch.cat([of_frame[:, :, None], tokens], dim=2)
        if self.rig_in is None:
            return tokens
        rig = self.rig_in(joint) + self.kinds[1]
        whole = self.kinds[2].expand(len(rig), 1, -1)
        return torch.cat([torch.cat([whole, rig], dim=1)[:, None], tokens], dim=1)

    def _joint_numbers(self, given: LiftInputs) -> Float[Tensor, "b j q"]:
        if not self.config.sides:
            return given.joint
        known = given.sides.ne(0).any(dim=1, keepdim=True).expand_as(given.sides)
        sides = torch.stack([given.sides, known.to(given.sides.dtype)], dim=-1)
        return torch.cat([given.joint, sides], dim=-1)

    def _mixed(self, tokens: Float[Tensor, "b t j w"], given: LiftInputs) -> Tensor:
        batch, frames, joints, width = tokens.shape
        encoder = self.encoder
        joint_mask = functional.pad(given.joint_mask, (1, 0), value=True)
        frame_mask = functional.pad(given.frame_mask, (int(self.config.context), 0), value=True)
        space_mask = self._space_mask(given, joint_mask)
        time_mask = self._time_mask(given, frame_mask)
        flat = tokens.flatten(0, 1)
        keys = joint_mask.repeat_interleave(frames, dim=0)
        flat = flat.masked_fill(~keys[..., None], 0.0)
        tokens = encoder.prepared(flat, keys).view(tokens.shape)
        pairs = self._pair_features(given) if self.config.pairs else None
        offsets = self._offsets(given)
        for layer in range(len(encoder.blocks) // 2):
            space, time = encoder.blocks[2 * layer], encoder.blocks[2 * layer + 1]
            bias = None if pairs is None else self._pair_bias(layer, pairs, space_mask)
            tokens = _along(space, tokens.flatten(0, 1), joint_mask, space_mask, bias)
            tokens = tokens.view(batch, frames, joints, width).transpose(1, 2).flatten(0, 1)
            bias = None
            if self.config.backbone.attention == "softmax":
                bias = self._time_bias(layer, offsets, time_mask)
            tokens = _along(time, tokens, frame_mask, time_mask, bias)
            tokens = tokens.view(batch, joints, frames, width).transpose(1, 2)
        return encoder.norm(tokens)

    def _space_mask(
        self, given: LiftInputs, joint_mask: Bool[Tensor, "b n"]
    ) -> Bool[Tensor, "b h n n"]:
        """Whom a joint looks at in each head; all look at the frame's token, and it at all."""
        heads = self.config.backbone.heads
        near = functional.pad(given.near, (1, 0, 1, 0), value=True)
        everyone = torch.ones_like(near)
        share = {"both": heads // 2, "edges": heads, "all": 0}[self.config.graph]
        masks = torch.stack([near] * share + [everyone] * (heads - share), dim=1)
        return masks & joint_mask[:, None, None, :]

    def _time_mask(
        self, given: LiftInputs, frame_mask: Bool[Tensor, "b n"]
    ) -> Bool[Tensor, "b 1 n n"]:
        """Near frames, and the frame of the window; a frame always looks at itself."""
        apart = (given.times[:, :, None] - given.times[:, None]).abs()
        mask = apart <= self.config.window
        if self.config.context:
            mask = functional.pad(mask, (1, 0, 1, 0), value=True)
        mask = mask & frame_mask[:, None, :]
        return (mask | torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device))[:, None]

    def _pair_features(self, given: LiftInputs) -> Float[Tensor, "b j j f"]:
        steps = functional.one_hot(given.steps, FARTHEST + 1).to(given.pair.dtype)
        told = [given.pair, steps]
        if self.config.sides:
            both = given.sides[:, :, None] * given.sides[:, None]
            told += [given.across.to(both.dtype)[..., None], both[..., None]]
        return functional.gelu(self.pair_in(torch.cat(told, dim=-1)))

    def _pair_bias(
        self, layer: int, pairs: Tensor, mask: Bool[Tensor, "b h n n"]
    ) -> Float[Tensor, "b h n n"]:
        bias = self.pair_bias[layer](pairs).permute(0, 3, 1, 2)
        bias = functional.pad(bias, (1, 0, 1, 0))
        return bias.masked_fill(~mask, float("-inf"))

    def _offsets(self, given: LiftInputs) -> Tensor:
        """Which entry of `time_bias` belongs to two frames."""
        window = self.config.window
        apart = given.times[:, :, None] - given.times[:, None]
        return apart.clamp(-window, window) + window

    def _time_bias(
        self, layer: int, offsets: Tensor, mask: Bool[Tensor, "b 1 n n"]
    ) -> Float[Tensor, "b h n n"]:
        bias = self.time_bias[layer][:, offsets].transpose(0, 1)
        if self.config.context:
            bias = functional.pad(bias, (1, 0, 1, 0))
        return bias.masked_fill(~mask, float("-inf"))


def _along(
    block: nn.Module,
    tokens: Float[Tensor, "n m w"],
    keys: Bool[Tensor, "b m"],
    mask: Bool[Tensor, "b h m m"],
    bias: Float[Tensor, "b h m m"] | None,
) -> Float[Tensor, "n m w"]:
    """A block with the same masks for all rows of a clip. A bias holds its mask as minus infinity;
    every row of it allows something."""
    assert isinstance(block, Block)
    if bias is not None:
        return block(tokens, None, None, bias)
    repeats = len(tokens) // len(mask)
    keys, mask = (m.repeat_interleave(repeats, dim=0) for m in (keys, mask))
    return block(tokens, keys, mask)


def _rotation(numbers: Float[Tensor, "*n 6"]) -> Float[Tensor, "*n 3 3"]:
    """A rotation from two vectors (Zhou et al. 2019), near the identity for numbers near zero."""
    identity = numbers.new_tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    a, b = (numbers + identity).unflatten(-1, (2, 3)).unbind(-2)
    first = functional.normalize(a, dim=-1)
    second = functional.normalize(b - (first * b).sum(-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)


def with_sides(model: Lifter) -> Lifter:
    """A lifter that is told left from right, from one that is not: the same function until it has
    learnt what that is worth."""
    wider = new_lifter(replace(model.config, sides=True), 0)
    weights = model.state_dict()
    for name, value in wider.state_dict().items():
        if (missing := value.shape[-1:].numel() - weights[name].shape[-1:].numel()) > 0:
            weights[name] = functional.pad(weights[name], (0, missing))
    wider.load_state_dict(weights)
    return wider


def new_lifter(config: LifterConfig, seed: int) -> Lifter:
    """A lifter before its training; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Lifter(config)

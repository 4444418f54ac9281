"""Two small trainings that the experiments on backbones share: a classifier of point clouds and a
lifter of motion. Each takes its encoder from the cell's options."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from math import ceil, cos, pi
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from backbones.attention import Attention
from backbones.config import BackboneConfig
from backbones.encoder import Encoder
from backbones.spectra import attention_kappa
from benchmarks.backbone_cells import Cell
from benchmarks.backbone_data import FRAMES, Points, motions, point_tokens, seen_from

BATCH, EPOCHS, RATE, WARM_UP = 32, 10, 1e-3, 50
POSE_EPOCHS, POSE_STEPS = 5, 40
CLASSES = 40


class BatchNorm(nn.BatchNorm1d):
    """Over all axes but the last."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.flatten(0, -2)).view(input.shape)


class PointClassifier(nn.Module):
    """Grouped points to tokens (a small PointNet and the centre, normalised over the batch as such
    networks are), encoder, mean and maximum, classes."""

    def __init__(self, config: BackboneConfig, classes: int = CLASSES) -> None:
        super().__init__()
        width = config.width
        self.group = nn.Sequential(nn.Linear(3, 32), BatchNorm(32), nn.GELU(), nn.Linear(32, width))
        self.centre = nn.Sequential(
            nn.Linear(3, 64), BatchNorm(64), nn.GELU(), nn.Linear(64, width)
        )
        self.norm = BatchNorm(width)
        self.encoder = Encoder(config)
        self.head = nn.Linear(2 * width, classes)

    def tokens(self, groups: Tensor, centres: Tensor) -> Tensor:
        return self.norm(self.group(4.0 * groups).amax(2) + self.centre(centres))

    def forward(self, groups: Tensor, centres: Tensor) -> Tensor:
        out = self.encoder(self.tokens(groups, centres))
        return self.head(torch.cat([out.mean(1), out.amax(1)], -1))


class Lifter(nn.Module):
    """Joints in the picture to joints in space: frames, or joints, as tokens. Where the encoder has
    no positions of its own the lifter adds learned ones of the same spread."""

    def __init__(self, config: BackboneConfig, joints: int, axis: str) -> None:
        super().__init__()
        others, places = (joints, FRAMES) if axis == "frames" else (FRAMES, joints)
        self.axis = axis
        self.embed = nn.Linear(2 * others, config.width)
        self.encoder = Encoder(config)
        self.head = nn.Linear(config.width, 3 * others)
        self.places: nn.Parameter | None = None
        if self.encoder.positions is None:
            self.places = nn.Parameter(0.36 * torch.randn(places, config.width))

    def tokens(self, picture: Tensor) -> Tensor:
        along = picture if self.axis == "frames" else picture.transpose(1, 2)
        tokens = self.embed(along.flatten(2))
        return tokens if self.places is None else tokens + self.places

    def forward(self, picture: Tensor) -> Tensor:
        out = self.head(self.encoder(self.tokens(picture))).unflatten(-1, (-1, 3))
        return out if self.axis == "frames" else out.transpose(1, 2)


def config_of(cell: Cell) -> BackboneConfig:
    """The fields of BackboneConfig among a cell's options."""
    known = {field.name for field in fields(BackboneConfig)}
    return BackboneConfig(**{k: v for k, v in cell.options.items() if k in known})


def train_points(cell: Cell, shared: Path) -> dict[str, Any]:
    """Train a classifier; accuracy in percent, losses and how its attention is conditioned.

    Options of its own: `share` of the training clouds, `epochs`, `attack` for its robustness.
    """
    train, test = point_tokens(shared)
    torch.manual_seed(cell.seed)
    generator = torch.Generator().manual_seed(cell.seed)
    few = torch.randperm(len(train), generator=generator)
    train = train.take(few[: int(len(train) * cell.options.get("share", 1.0))])
    model = PointClassifier(config_of(cell))
    start = look(model, test)

    def loss_of(rows: Tensor) -> Tensor:
        some = train.take(rows)
        return functional.cross_entropy(model(some.groups, some.centres), some.labels)

    epochs = int(cell.options.get("epochs", EPOCHS))
    losses, seconds = fit(model, loss_of, len(train), epochs, generator)
    return {
        "accuracy": accuracy(model, test),
        "losses": losses,
        "loss_epoch_4": losses[min(3, len(losses) - 1)],
        "loss": losses[-1],
        "parameters": sum(p.numel() for p in model.encoder.parameters()),
        "training_seconds": seconds,
        "start": start,
        **look(model, test),
        **(attacked(model, test) if cell.options.get("attack") else {}),
    }


def train_poses(cell: Cell, shared: Path) -> dict[str, Any]:
    """Train a lifter on a tenth of a rig's windows; error in percent of the skeleton's size.

    Options of its own: `axis`, frames or joints; `placed`, to put the rig's skeleton or number of
    frames into the configuration.
    """
    train, test = motions(shared, cell.seed)
    torch.manual_seed(cell.seed)
    generator = torch.Generator().manual_seed(cell.seed)
    axis, joints = str(cell.options["axis"]), train.windows.shape[2]
    options = dict(cell.options)
    if options.pop("placed", False):
        frames = {"impulse": "line", "tokens": FRAMES}
        options |= frames if axis == "frames" else {"impulse": "skeleton", "parents": train.parents}
    config = config_of(Cell(cell.task, options, cell.seed))
    few = torch.randperm(len(train.windows), generator=generator)[: len(train.windows) // 10]
    windows = train.windows[few]
    model = Lifter(config, joints, axis)

    def loss_of(rows: Tensor) -> Tensor:
        picture, space = seen_from(windows[rows % len(windows)], generator)
        return (model(picture) - space).norm(dim=-1).mean()

    start = {"mass": _mass(model, windows, generator)}
    errors: list[float] = []
    after = lambda: errors.append(_pose_error(model, test.windows))  # noqa: E731
    fit(model, loss_of, POSE_STEPS * BATCH, POSE_EPOCHS, generator, after)
    end = {"mass": _mass(model, windows, generator)}
    return {"error": errors[-1], "errors": errors, "windows": len(windows), "start": start, **end}


def fit(
    model: nn.Module,
    loss_of: Callable[[Tensor], Tensor],
    samples: int,
    epochs: int,
    generator: torch.Generator,
    after_epoch: Callable[[], None] = lambda: None,
) -> tuple[list[float], float]:
    """AdamW with a warm-up and a cosine to zero; returns the mean loss of each epoch, and CPU
    seconds. `model` is left ready to be tested."""
    model.train()
    began, step, steps = time.process_time(), 0, epochs * ceil(samples / BATCH)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], RATE)
    losses = []
    for _ in range(epochs):
        found = []
        for rows in torch.randperm(samples, generator=generator).split(BATCH):
            step += 1
            rate = RATE * min(1.0, step / WARM_UP) * (1 + cos(pi * step / steps)) / 2
            for group in optimiser.param_groups:
                group["lr"] = rate
            loss = loss_of(rows)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            found.append(float(loss.detach()))
        losses.append(sum(found) / len(found))
        after_epoch()
    model.eval()
    return losses, time.process_time() - began


@torch.no_grad()
def accuracy(model: PointClassifier, clouds: Points) -> float:
    """Percent of `clouds` that are classified rightly."""
    right = [
        model(groups, centres).argmax(-1) == labels
        for groups, centres, labels in _batches(clouds, 256)
    ]
    return 100.0 * float(torch.cat(right).float().mean())


def attacked(model: PointClassifier, clouds: Points, size: float = 0.02) -> dict[str, float]:
    """Accuracy in percent on 512 clouds whose points were moved along the sign of the gradient by
    `size`: once (FGSM), and in ten steps (PGD)."""
    some = clouds.take(torch.arange(0, len(clouds), max(1, len(clouds) // 512))[:512])
    found = {}
    for name, steps in (("fgsm", 1), ("pgd", 10)):
        moved, stride = some.groups.clone(), size if steps == 1 else size / 4
        for _ in range(steps):
            moved.requires_grad_()
            loss = functional.cross_entropy(model(moved, some.centres), some.labels)
            (slope,) = torch.autograd.grad(loss, moved)
            moved = moved.detach() + stride * slope.sign()
            moved = some.groups + (moved - some.groups).clamp(-size, size)
        found[name] = accuracy(model, Points(moved, some.centres, some.labels))
    return found


@torch.no_grad()
def look(model: PointClassifier, clouds: Points) -> dict[str, Any]:
    """How attention sees 16 test clouds: condition numbers of tokens and heads, norms of its
    weights. Nothing without attention."""
    some = clouds.take(torch.arange(0, len(clouds), len(clouds) // 16)[:16])
    tokens = model.tokens(some.groups, some.centres)
    layers = [layer for layer in model.encoder.modules() if isinstance(layer, Attention)]
    if not layers:
        return {}
    norms: list[float] = []
    hooks = [
        layer.register_forward_pre_hook(lambda m, given: norms.append(_norm(m, given[0])))
        for layer in layers
    ]
    found = attention_kappa(model.encoder, tokens)
    for hook in hooks:
        hook.remove()
    return {"heads_kappa": found, "weights_norm": sum(norms) / len(norms), "weights_norms": norms}


def _norm(layer: nn.Module, tokens: Tensor) -> float:
    """Mean Frobenius norm of what multiplies the values."""
    assert isinstance(layer, Attention)
    scores = layer.scores(tokens)
    if layer.power is None:
        return float(scores.softmax(-1).norm(dim=(-2, -1)).mean())
    weights = scores**layer.power
    if layer.scale is not None:
        weights = weights * layer.scale / scores.shape[-1] ** 0.5
    return float(weights.norm(dim=(-2, -1)).mean())


@torch.no_grad()
def _mass(model: Lifter, windows: Tensor, generator: torch.Generator) -> float | None:
    """Attention of the first block on the neighbours it was made for, on real tokens."""
    from backbones import impulse
    from backbones.neighbours import targets

    block = model.encoder.blocks[0]
    if model.encoder.positions is None:
        return None
    picture, _ = seen_from(windows, generator)
    tokens = block.mixer_norm(model.encoder.prepared(model.tokens(picture)))  # type: ignore[operator]
    weights = block.mixer.scores(tokens).softmax(-1)  # type: ignore[union-attr, operator]
    return float(impulse.mass(weights, targets(model.encoder.plan)[None]).mean())


@torch.no_grad()
def _pose_error(model: Lifter, windows: Tensor) -> float:
    picture, space = seen_from(windows, torch.Generator().manual_seed(1))
    return 100.0 * float((model(picture) - space).norm(dim=-1).mean())


def _batches(clouds: Points, size: int) -> Any:
    parts = (part.split(size) for part in (clouds.groups, clouds.centres, clouds.labels))
    return zip(*parts, strict=True)


TASKS = {"points": train_points, "poses": train_poses}

"""Real data for the experiments on backbones: grouped points of ModelNet40, windows of animal
motion. Neither may be passed on; `--shared FOLDER` holds them under `data/`."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backbones.ordering import morton_order
from data.neighbours import farthest_points

TOKENS, NEIGHBOURS = 32, 16
TRAIN_A_CLASS = 60
"""Clouds of each class that trainings see: a cell takes about a minute."""
FRAMES = 27
RIGS = ("0ad_fauna__wolfhound", "0ad_fauna__mastiff", "0ad_fauna__wolf")
"""Skeletons with long clips, one a seed."""


@dataclass(frozen=True, eq=False)
class Points:
    """Clouds as tokens in Morton order: a centre and its neighbours."""

    groups: Tensor
    """(n, 32, 16, 3), relative to the centres."""
    centres: Tensor
    """(n, 32, 3), in a unit sphere."""
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Tensor) -> Points:
        return Points(self.groups[rows], self.centres[rows], self.labels[rows])


@functools.cache
def point_tokens(shared: Path) -> tuple[Points, Points]:
    """Training clouds, at most `TRAIN_A_CLASS` of each class, and the test clouds."""
    with np.load(shared / "data" / "clouds" / "modelnet40.npz") as file:
        points, labels, is_test = file["points"], file["label"].astype(int), file["is_test"]
    rng = np.random.default_rng(0)
    kept = [
        rng.permutation(np.flatnonzero((labels == label) & ~is_test))[:TRAIN_A_CLASS]
        for label in range(labels.max() + 1)
    ]
    rows = (np.sort(np.concatenate(kept)), np.flatnonzero(is_test))
    train, test = (_grouped(points[chosen] / 32767.0, labels[chosen]) for chosen in rows)
    return train, test


def _grouped(xyz: np.ndarray, labels: np.ndarray) -> Points:
    cloud = torch.from_numpy(xyz).float()
    first = torch.from_numpy(np.stack([farthest_points(one, TOKENS) for one in xyz]))
    centres = cloud.gather(1, first[..., None].expand(-1, -1, 3))
    centres = centres.gather(1, morton_order(centres)[..., None].expand(-1, -1, 3))
    near = torch.cat(
        [
            torch.cdist(some, all_).topk(NEIGHBOURS, largest=False).indices
            for some, all_ in zip(centres.split(256), cloud.split(256), strict=True)
        ]
    )
    neighbours = cloud.gather(1, near.flatten(1)[..., None].expand(-1, -1, 3))
    groups = neighbours.unflatten(1, (TOKENS, NEIGHBOURS)) - centres[:, :, None]
    return Points(groups, centres, torch.from_numpy(labels))


@dataclass(frozen=True, eq=False)
class Motions:
    """Windows of one rig's motion, centred on the root, in units of the skeleton's size."""

    windows: Tensor
    """(n, 27, joints, 3), y up."""
    parents: tuple[int, ...]


@functools.cache
def motions(shared: Path, seed: int) -> tuple[Motions, Motions]:
    """Windows to train on and, from the last fifth of each clip, to test on."""
    path = shared / "data" / "keypoints" / "synthetic" / f"{RIGS[seed % len(RIGS)]}.npz"
    with np.load(path) as file:
        positions, lengths = file["positions"].astype(np.float64), file["clip_lengths"]
        parents = tuple(int(parent) for parent in file["parents"])
        up = str(file["up"])
    if up == "z":
        positions = positions[..., [0, 2, 1]] * [1, 1, -1]
    positions = positions - positions[:, :1]
    positions /= np.linalg.norm(positions, axis=-1).mean()
    train, test = [], []
    for clip in np.split(positions, np.cumsum(lengths)[:-1]):
        cut = int(0.8 * len(clip))
        train += _windows(clip[:cut])
        test += _windows(clip[cut:])
    first, second = (torch.from_numpy(np.stack(part)).float() for part in (train, test))
    return Motions(first, parents), Motions(second, parents)


def _windows(clip: np.ndarray) -> list[np.ndarray]:
    """Every third window of `FRAMES`."""
    return [clip[i : i + FRAMES] for i in range(0, len(clip) - FRAMES + 1, 3)]


def seen_from(windows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """What a far camera at eye level sees of each window, from a random side: joints in the picture
    (n, t, j, 2), and in the camera's axes (n, t, j, 3)."""
    angle = 2 * torch.pi * torch.rand(len(windows), 1, 1, generator=generator)
    x, y, z = windows.unbind(-1)
    turned = torch.stack(
        [x * angle.cos() + z * angle.sin(), y, z * angle.cos() - x * angle.sin()], -1
    )
    return turned[..., :2], turned

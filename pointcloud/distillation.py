"""A Gaussian encoder learns from one of shared layers what it makes of single points.

As published (arXiv 2511.04797): the features of every point, before the maximum, are compared with
the teacher's by their absolute difference, on real clouds or on random points, for the T-Net's
encoder first and for the main one then; all that reads the features is copied from the teacher, and
everything is fitted to labels at the end. The mixer begins at its least-squares solution, which the
publication leaves to the optimiser.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from data.errors import UserError
from data.labelled_clouds import LabelledClouds
from pointcloud.batches import batch_of_step
from pointcloud.classifier_files import SavedClassifier
from pointcloud.config import FitConfig, GaussianNetConfig, MambaConfig, PointNetConfig
from pointcloud.gaussian_encoder import GaussianEncoder
from pointcloud.grouping import GROUP_SCALE
from pointcloud.stored import expect_shapes

_RIDGE = 1e-4
"""Of the least squares, over the mean square of responses."""
_FIRST_STEPS = 8
"""Batches that the mixer is solved on."""


@dataclass(frozen=True)
class DistilConfig:
    """What a student is shown."""

    steps: int = 6000
    """Of each stage."""
    source: Literal["data", "uniform"] = "data"
    """Points of training clouds, or random ones in the cube that Gaussians begin in."""
    clouds: int = 8
    """In a step."""
    points: int = 512
    """Of each cloud; groups are taken whole."""
    rate: float = 3e-3
    """Highest rate of the mixer."""
    gaussian_rate: float = 1e-2
    """Highest rate of the Gaussians."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """One encoder that learns from another."""

    name: str
    student: GaussianEncoder
    teacher: nn.Module
    points_of_step: Callable[[int], Tensor]
    """Points as both encoders see them."""

    def aim(self, step: int) -> tuple[Tensor, dict[str, Any]]:
        """Mean absolute difference on the points of a step."""
        points = self.points_of_step(step)
        with torch.no_grad():
            target = self.teacher(points)
        difference = (self.student(points) - target).abs().mean()
        return difference, {"share": float(difference.detach() / target.abs().mean())}


def fit_config(config: DistilConfig, base: FitConfig) -> FitConfig:
    """How a stage descends; what is drawn follows `base`."""
    return replace(
        base,
        steps=config.steps,
        minutes=None,
        batch=config.clouds,
        rate=config.rate,
        gaussian_rate=config.gaussian_rate,
        weight_decay=0.0,
        average=0.0,
        clip=1e3,
    )


def check_teacher(
    teacher: SavedClassifier, classes: tuple[str, ...], student: Any, where: str
) -> None:
    """UserError unless `student`, of `classes`, can learn from `teacher`."""
    config = teacher.model.config
    wanted = "a mamba3d with its own encoder of groups"
    fits = isinstance(config, MambaConfig) and config.encoder == "pointnet"
    if isinstance(student.config, GaussianNetConfig):
        t_net = student.config.t_net
        wanted = f"a pointnet {'with' if t_net else 'without'} T-Net"
        fits = isinstance(config, PointNetConfig) and config.t_net == t_net
    if not fits:
        raise UserError(f"{where}: expected {wanted} to learn from, found another model")
    if teacher.classes != classes:
        raise UserError(
            f"{where}: expected a teacher of the data's {len(classes)} classes, found one of"
            f" {len(teacher.classes)} or of other names"
        )
    ours, theirs = (inherited(m) for m in (student, teacher.model))
    expect_shapes(
        {n: v.numpy() for n, v in theirs.items()},
        {n: tuple(v.shape) for n, v in ours.items()},
        where,
    )


def inherited(model: nn.Module) -> dict[str, Tensor]:
    """What a student takes over: all but the encoders."""
    names = ("encoder.", "t_net.encoder.")
    return {n: v for n, v in model.state_dict().items() if not n.startswith(names)}


def inherit(student: nn.Module, teacher: nn.Module) -> None:
    """Copy it."""
    student.load_state_dict(inherited(teacher), strict=False)


def lessons(
    student: Any, teacher: Any, data: LabelledClouds, config: DistilConfig, base: FitConfig
) -> list[Lesson]:
    """In the order in which they are learned."""
    teacher.eval().requires_grad_(False)
    drawing = fit_config(config, base)

    def clouds(step: int) -> tuple[Tensor, ...]:
        batch = batch_of_step(data, drawing, step)
        return student.prepare(batch.clouds, batch.starts, batch.shifts)

    if isinstance(student.config, MambaConfig):
        shape = (config.clouds, student.config.centres, student.config.neighbours, 3)
        drawn = _uniform(shape, student.config.gaussian.reach, base)
        groups = drawn if config.source == "uniform" else lambda s: GROUP_SCALE * clouds(s)[1]
        return [Lesson("encoder", student.encoder, teacher.encoder, groups)]
    drawn = _uniform((config.clouds, config.points, 3), student.config.encoder.reach, base)
    points = drawn if config.source == "uniform" else lambda s: clouds(s)[0][:, : config.points]

    @torch.no_grad()
    def turned(step: int) -> Tensor:
        return teacher.turned(points(step))

    found = [Lesson("encoder", student.encoder, teacher.encoder, turned)]
    if student.t_net is not None:
        first = Lesson("t-net", student.t_net.encoder, teacher.t_net.encoder, points)
        found.insert(0, first)
    return found


def begin(lesson: Lesson, student: nn.Module, solve: bool = True) -> None:
    """Freeze all but the lesson's encoder and solve for its mixer, unless a file will fill it."""
    student.requires_grad_(False)
    lesson.student.requires_grad_(True)
    if not solve:
        return
    if lesson.student.config.start == "k-means":
        lesson.student.start_at(lesson.points_of_step(1).reshape(-1, 3)[:8192])
    solve_mixer(lesson)


@torch.no_grad()
def solve_mixer(lesson: Lesson) -> None:
    """The mixer whose features are nearest to the teacher's, in squares, for the Gaussians as they
    stand."""
    encoder = lesson.student
    count = encoder.config.gaussians + 1
    squares = torch.zeros(count, count, dtype=torch.float64)
    products = torch.zeros(count, encoder.mixer.out_features, dtype=torch.float64)
    for step in range(1, _FIRST_STEPS + 1):
        points = lesson.points_of_step(step)
        responses = encoder.responses(points).reshape(-1, count - 1)
        rows = torch.cat([responses, torch.ones(len(responses), 1)], 1).double()
        squares += rows.T @ rows
        products += rows.T @ lesson.teacher(points).reshape(len(rows), -1).double()
    ridge = _RIDGE * squares.diagonal().mean() * torch.eye(count, dtype=torch.float64)
    found = torch.linalg.solve(squares + ridge, products)
    encoder.mixer.weight.copy_(found[:-1].T)
    encoder.mixer.bias.copy_(found[-1])


def _uniform(
    shape: tuple[int, ...], reach: float, base: FitConfig
) -> Callable[[int], Float[Tensor, "*n 3"]]:
    def points(step: int) -> Tensor:
        drawn = np.random.default_rng([base.seed, step, 2]).uniform(-reach, reach, shape)
        return torch.from_numpy(drawn.astype(np.float32))

    return points

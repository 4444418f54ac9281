from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from backbones.config import BackboneConfig
from lifting.batches import batch_of_step
from lifting.config import LifterConfig, LiftFitConfig, single_frame
from lifting.graphs import adjacency, hops, structure
from lifting.inputs import collate, fill, prepare
from lifting.losses import aligned_clip, aligned_frames, loss
from lifting.metrics import aligned_frames as aligned_frames_in_numpy
from lifting.model import Lifter, new_lifter
from lifting.motions import random_motion
from lifting.prediction import WindowConfig, cut, predict, steadied
from lifting.random_rigs import random_rig

BACKBONE = BackboneConfig(width=24, depth=4, heads=4, head_dim=6)
SMALL = LifterConfig(BACKBONE, window=3, fourier=8)
OPTIONS = {
    "both": SMALL,
    "edges": replace(SMALL, graph="edges"),
    "all": replace(SMALL, graph="all"),
    "canonical": replace(SMALL, output="canonical"),
    "no-context": replace(SMALL, context=False),
    "no-pairs": replace(SMALL, pairs=False),
    "single-frame": single_frame(SMALL),
    "no-fourier": replace(SMALL, fourier=0),
    "poly": replace(SMALL, pairs=False, backbone=replace(BACKBONE, attention="poly3")),
    "conditioned": replace(SMALL, backbone=replace(BACKBONE, conditioning=0.1)),
}


def tracks(seed: int = 0, frames: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rig = random_rig(rng, "bird")
    xy = random_motion(rig, rng, frames=frames).xyz[..., :2].copy()
    xy[2:5, 3] = np.nan
    confidence = np.where(np.isnan(xy[..., 0]), 0.0, rng.uniform(0.3, 1.0, xy.shape[:2]))
    return xy, confidence, rig.skeleton.edges


def lifter(config: LifterConfig) -> Lifter:
    return new_lifter(config, 1).double().eval()


def doubled(inputs):  # float64, so that equality means equality
    parts = {name: getattr(inputs, name) for name in inputs.__dataclass_fields__}
    return type(inputs)(**{n: p.double() if p.is_floating_point() else p for n, p in parts.items()})


@pytest.mark.parametrize("option", OPTIONS)
def test_permuted_joints_come_out_permuted(option) -> None:
    model = lifter(OPTIONS[option])
    xy, confidence, edges = tracks()
    order = np.random.default_rng(3).permutation(xy.shape[1])
    place = np.argsort(order)
    one = model(doubled(collate([prepare(xy, confidence, edges)])))
    other = model(doubled(collate([prepare(xy[:, order], confidence[:, order], place[edges])])))
    # sums over joints are taken in another order, in single precision before the model
    torch.testing.assert_close(other.xyz, one.xyz[:, :, order], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(other.radius, one.radius[:, :, order], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(other.up, one.up, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("option", OPTIONS)
def test_padding_changes_nothing(option) -> None:
    model = lifter(OPTIONS[option])
    short, long = tracks(0, 7), tracks(1, 10)
    alone = model(doubled(collate([prepare(*short)])))
    together = model(doubled(collate([prepare(*short), prepare(*long)])))
    t, j = short[0].shape[:2]
    torch.testing.assert_close(together.xyz[:1, :t, :j], alone.xyz, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(together.up[:1], alone.up, rtol=1e-9, atol=1e-9)
    assert torch.isfinite(together.xyz).all()


@pytest.mark.parametrize("option", OPTIONS)
def test_gradients_are_finite_and_reach_everything(option) -> None:
    model = new_lifter(OPTIONS[option], 0)
    config = LiftFitConfig(tokens=600, frames=6)
    inputs, truth = batch_of_step([], config, 1)
    total, parts = loss(model(inputs), truth, config)
    total.backward()
    assert torch.isfinite(total) and set(parts) >= {"frames", "clip", "velocity", "bones"}
    for name, value in model.named_parameters():
        unused = value.grad is None or not value.grad.any()
        assert value.grad is None or torch.isfinite(value.grad).all(), name
        if unused:
            expected = ["pair", "kinds", "time_bias", "frame_head", "k_proj.bias"]
            if option == "single-frame":  # over time a frame looks at itself alone
                expected += ["q_proj", "k_proj"]
            assert any(part in name for part in expected), name


def test_a_frame_looks_no_farther_than_its_window() -> None:
    config = replace(SMALL, context=False, backbone=replace(BACKBONE, depth=2), pairs=False)
    model = lifter(config)
    xy, confidence, edges = tracks()
    inputs = doubled(collate([prepare(xy, confidence, edges)]))
    base = model(inputs).radius
    point = inputs.point.clone()
    point[:, 9] += 1.0
    changed = model(replace(inputs, point=point)).radius
    moved = (changed - base).abs().amax(dim=(0, 2)) > 1e-12
    assert moved.tolist() == [False] * 6 + [True] * 4


def test_a_single_frame_model_sees_one_frame() -> None:
    model = lifter(replace(single_frame(SMALL), pairs=False))
    xy, confidence, edges = tracks()
    inputs = doubled(collate([prepare(xy, confidence, edges)]))
    base = model(inputs).radius
    point = inputs.point.clone()
    point[:, 9] += 1.0
    moved = (model(replace(inputs, point=point)).radius - base).abs().amax(dim=(0, 2)) > 1e-12
    assert moved.tolist() == [False] * 9 + [True]


def test_it_learns_a_few_clips_by_heart() -> None:
    torch.manual_seed(0)
    config = LiftFitConfig(tokens=500, frames=6, augment=False)
    inputs, truth = batch_of_step([], config, 3)
    model = new_lifter(replace(SMALL, backbone=replace(BACKBONE, width=32)), 0)
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3)
    first = None
    for _ in range(150):
        total, parts = loss(model(inputs), truth, config)
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        first = first or parts["frames"].item()
    assert parts["frames"].item() < 0.4 * first


def test_alignments_agree_with_the_metrics() -> None:
    rng = np.random.default_rng(0)
    found, truth = rng.standard_normal((2, 3, 5, 7, 3))
    whole = torch.ones(3, 5, 7, dtype=torch.float64)
    ours = aligned_frames(torch.from_numpy(found), torch.from_numpy(truth), whole)
    for k in range(3):
        np.testing.assert_allclose(ours[k], aligned_frames_in_numpy(found[k], truth[k]), atol=1e-9)
    masked = whole.clone()
    masked[:, :, 5:] = 0
    spoilt = found.copy()
    spoilt[:, :, 5:] = 1e3
    part = aligned_frames(torch.from_numpy(spoilt), torch.from_numpy(truth), masked)
    wanted = aligned_frames_in_numpy(found[0][:, :5], truth[0][:, :5])
    np.testing.assert_allclose(part[0][:, :5], wanted, atol=1e-9)
    scale, placed = aligned_clip(3 * torch.from_numpy(truth) + 5, torch.from_numpy(truth), whole)
    torch.testing.assert_close(placed, torch.from_numpy(truth))
    torch.testing.assert_close(scale, torch.full((3,), 1 / 3, dtype=torch.float64))


def test_graphs_by_hand() -> None:
    line = adjacency(np.array([[0, 1], [1, 2], [2, 3]]), 4)
    assert hops(line)[0].tolist() == [0, 1, 2, 3]
    numbers = structure(line, hops(line))
    # from an end one comes back after two steps if the second goes back: a half
    np.testing.assert_allclose(numbers[0, :3], [0.0, 0.5, 0.0])
    np.testing.assert_allclose(numbers[:, 8] * 3, [1, 2, 2, 1])
    apart = adjacency(np.zeros((0, 2), int), 3)
    lonely = structure(apart, hops(apart))
    assert np.isfinite(lonely).all()


def test_gaps_are_filled_from_time_and_then_from_neighbours() -> None:
    xy = np.full((3, 3, 2), np.nan)
    xy[:, 0] = [[0, 0], [1, 0], [2, 0]]
    xy[[0, 2], 1] = [[0, 2], [2, 2]]
    seen = np.isfinite(xy).all(axis=2)
    full = fill(xy, seen, adjacency(np.array([[0, 1], [1, 2]]), 3))
    np.testing.assert_allclose(full[1, 1], [1, 2])
    np.testing.assert_allclose(full[:, 2], full[:, 1])


@pytest.mark.parametrize("length", [1, 2, 7, 16, 17, 48, 49, 100])
def test_windows_cover_every_frame(length) -> None:
    for config in (WindowConfig(), WindowConfig(frames=8, stride=1, overlap=2)):
        windows = cut(length, config)
        assert sorted({int(f) for rows in windows for f in rows}) == list(range(length))
        assert all(len(rows) <= config.frames for rows in windows)


def test_predictions_of_any_length_are_in_the_units_of_the_tracks() -> None:
    model = new_lifter(SMALL, 0).eval()
    for frames in (1, 5, 60):
        xy, confidence, edges = tracks(frames=frames) if frames > 4 else tracks(frames=5)
        xy, confidence = xy[:frames], confidence[:frames]
        found = predict(model, 100 * xy + 7, confidence, edges, WindowConfig(8, 2, 2))
        assert found.xyz.shape == (*xy.shape[:2], 3) and np.isfinite(found.xyz).all()
        assert np.isclose(np.linalg.norm(found.up), 1.0)
        # an untrained lifter changes little: what was seen lies about where it was seen
        size = 100 * np.nanstd(xy)
        assert np.nanmean(np.abs(found.xy - (100 * xy + 7))) < 0.3 * size


def test_points_stay_where_they_are_seen_across_windows() -> None:
    """Each window has a camera of its own; an animal that crosses the picture is far from its
    middle, where another nearness than the window's moved it off its tracks."""
    model = new_lifter(SMALL, 0).eval()
    with torch.no_grad():
        model.head_out.weight[:2] = 0.0  # no corrections
        model.clip_head.weight[3] *= 50.0  # cameras that differ
    xy, _, edges = tracks(frames=60)
    xy = np.nan_to_num(xy) + np.linspace(-8, 8, 60)[:, None, None] * np.array([1.0, 0.1])
    found = predict(model, xy, None, edges, WindowConfig(8, 2, 2))
    np.testing.assert_allclose(found.xy, xy, atol=1e-4)


@pytest.mark.parametrize("option", ["both", "canonical"])
def test_a_shift_of_all_depths_does_not_make_the_animal_larger(option) -> None:
    """It did: depth and nearness grew together, and the radii with them without end."""
    model = lifter(OPTIONS[option])
    inputs = doubled(collate([prepare(*tracks())]))
    before = model(inputs)
    with torch.no_grad():
        model.frame_head.bias[0] += 50.0
        model.clip_head.bias[3] += 50.0
    after = model(inputs)
    torch.testing.assert_close(after.xyz[..., 2], before.xyz[..., 2], rtol=1e-6, atol=1e-6)
    assert (after.nearness <= 0.5).all()
    if option == "both":
        assert abs(after.xyz[..., 2].mean().item()) < 1e-9


def test_wrong_configurations_are_refused() -> None:
    for change, message in (
        ({"backbone": replace(BACKBONE, depth=3)}, "even number"),
        ({"backbone": replace(BACKBONE, mixer="conv")}, "mixer=attention"),
        ({"backbone": replace(BACKBONE, attention="poly2")}, "pairs"),
        ({"backbone": replace(BACKBONE, heads=1, head_dim=24)}, "2 or more"),
        ({"window": -1}, "window"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(SMALL, **change)


def test_in_bfloat16_places_keep_their_digits() -> None:
    model = new_lifter(SMALL, 1).eval()
    xy, confidence, edges = tracks()
    given = collate([prepare(xy, confidence, edges)])
    whole = model._tokens(given)
    entered: list[torch.Tensor] = []
    model.encoder.blocks[0].register_forward_pre_hook(lambda _, words: entered.append(words[0]))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        model(given)
    assert torch.equal(entered[0].view(whole.shape), whole)


def test_depths_are_steadied_and_points_stay_where_they_are_seen() -> None:
    rng = np.random.default_rng(0)
    smooth = np.stack([np.linspace(0, 1, 40)] * 3, axis=1)[:, None] * np.ones((1, 5, 1))
    shaken = smooth + np.array([0, 0, 1]) * rng.normal(0, 0.1, (40, 5, 3))
    near = 0.3
    found = steadied(shaken, near, 2)
    assert np.abs(found[..., 2] - smooth[..., 2])[3:-3].mean() < 0.06
    seen, before = (x[..., :2] / (1 + near * x[..., 2:]) for x in (found, shaken))
    np.testing.assert_allclose(seen, before, atol=1e-12)
    np.testing.assert_allclose(steadied(smooth, 0.0, 2)[2:-2], smooth[2:-2], atol=1e-12)
    np.testing.assert_array_equal(steadied(shaken[:1], near, 2), shaken[:1])


def test_a_clip_turned_inside_out_does_not_drown_the_others() -> None:
    config = LiftFitConfig(tokens=400, frames=4)
    inputs, truth = batch_of_step([], config, 1)
    with torch.no_grad():
        found = new_lifter(SMALL, 1)(inputs)
        _, parts = loss(replace(found, xyz=-truth.xyz), truth, config)
    assert parts["uncertainty"] < 10

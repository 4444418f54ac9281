"""One contract for every back end of `data.neighbours`, the optional one also through a stub."""

from __future__ import annotations

import sys
import types
from collections import namedtuple

import numpy as np
import pytest

from data import neighbours
from data.camera import Camera
from data.errors import UserError


def points(n: int = 300) -> np.ndarray:
    # float32 values: pytorch3d searches in single precision
    return np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32).astype(np.float64)


@pytest.fixture
def stub_of_pytorch3d(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytorch3d's signatures over plain torch."""
    torch = pytest.importorskip("torch", reason="the stub computes with torch")
    found = namedtuple("_KNN", "dists idx knn")

    def knn_points(
        p1, p2, lengths1=None, lengths2=None, norm=2, K=1, version=-1, return_nn=False,
        return_sorted=True,
    ):  # fmt: skip
        squared = torch.cdist(p1.double(), p2.double()) ** 2
        dists, idx = torch.topk(squared, K, dim=-1, largest=False, sorted=return_sorted)
        return found(dists.float(), idx, None)

    def sample_farthest_points(points, lengths=None, K=50, random_start_point=False):
        chosen = neighbours._spread(points[0].double().numpy(), K, 0)
        idx = torch.from_numpy(chosen)[None]
        return points[:, idx[0]], idx

    class PerspectiveCameras:
        def __init__(
            self, focal_length=1.0, principal_point=((0.0, 0.0),), R=None, T=None, K=None,
            device="cpu", in_ndc=True, image_size=None,
        ):  # fmt: skip
            self.R, self.T, self.in_ndc, self.image_size = R, T, in_ndc, image_size
            self.focal_length, self.principal_point = focal_length, principal_point

        def transform_points_screen(self, world):
            cam = world @ self.R[0] + self.T[0]
            # x left and y up in front of the lens, pixels from the upper left, then 1 / z
            screen = self.principal_point[0] - self.focal_length[0] * cam[:, :2] / cam[:, 2:]
            return torch.cat([screen, 1 / cam[:, 2:]], 1)

    package = types.ModuleType("pytorch3d")
    ops = types.ModuleType("pytorch3d.ops")
    renderer = types.ModuleType("pytorch3d.renderer")
    ops.knn_points, ops.sample_farthest_points = knn_points, sample_farthest_points
    renderer.PerspectiveCameras = PerspectiveCameras
    package.__spec__ = types.SimpleNamespace()
    for module in (package, ops, renderer):
        monkeypatch.setitem(sys.modules, module.__name__, module)


def check_nearest(backend: str) -> None:
    cloud, queries = points(), points()[::7] + 0.01
    distances, indices = neighbours.nearest(cloud, queries, 5, backend)
    exact = np.linalg.norm(queries[:, None] - cloud[None], axis=2)
    np.testing.assert_allclose(distances, np.sort(exact, axis=1)[:, :5], rtol=1e-4)
    np.testing.assert_allclose(
        np.take_along_axis(exact, indices, 1), np.sort(exact, axis=1)[:, :5], rtol=1e-4
    )
    assert neighbours.nearest(cloud, queries, 1, backend)[1].shape == (len(queries), 1)


def check_farthest(backend: str) -> None:
    cloud = points()
    chosen = neighbours.farthest_points(cloud, 20, start=3, backend=backend)
    assert chosen[0] == 3 and len(set(chosen.tolist())) == 20
    for i in range(1, 20):
        gaps = np.linalg.norm(cloud[:, None] - cloud[chosen[:i]][None], axis=2).min(axis=1)
        assert gaps[chosen[i]] == pytest.approx(gaps.max(), rel=1e-5)


def check_cameras() -> None:
    import torch

    K = np.array([[90.0, 0, 31], [0, 80.0, 25], [0, 0, 1]])
    pose = np.eye(4)
    pose[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    pose[:3, 3] = [0.1, -0.2, 4.0]
    world = points(10).astype(np.float32)
    cameras = neighbours.pytorch3d_cameras([Camera(K, pose, 64, 48)])
    screen = cameras.transform_points_screen(torch.from_numpy(world)).numpy()
    cam = world @ pose[:3, :3].T + pose[:3, 3]
    expected = cam[:, :2] / cam[:, 2:] * [90.0, 80.0] + [31, 25]
    np.testing.assert_allclose(screen[:, :2], expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("backend", neighbours.available())
def test_nearest_agrees_with_all_distances(backend: str) -> None:
    check_nearest(backend)


@pytest.mark.parametrize("backend", [b for b in neighbours.available() if b != "scipy"])
def test_farthest_points_are_farthest(backend: str) -> None:
    check_farthest(backend)


def test_contract_holds_through_the_stub(stub_of_pytorch3d: None) -> None:
    assert "pytorch3d" in neighbours.available()
    check_nearest("pytorch3d")
    check_farthest("pytorch3d")
    check_cameras()


def test_cameras_of_the_real_pytorch3d() -> None:
    if "pytorch3d" not in neighbours.available():
        pytest.skip("pytorch3d is not built here (docs/decisions.md says how)")
    check_cameras()


def test_a_back_end_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours.importlib.util, "find_spec", lambda name: None)
    assert neighbours.available() == ()
    with pytest.raises(UserError, match="expected the package pytorch3d, found none"):
        neighbours.nearest(points(), points(), 1, "pytorch3d")
    with pytest.raises(UserError, match="expected the package pytorch3d, found none"):
        neighbours.pytorch3d_cameras([])


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="k: expected 1 to 300"):
        neighbours.nearest(points(), points(), 0)
    with pytest.raises(ValueError, match="start: expected"):
        neighbours.farthest_points(points(), 2, start=300)
    with pytest.raises(ValueError, match="backend: expected one of"):
        neighbours.nearest(points(), points(), 1, "annoy")

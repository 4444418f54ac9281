"""Responses by their definition, the quadratic form, shapes and starts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pointcloud.config import GaussianConfig
from pointcloud.gaussian_encoder import GaussianEncoder, monomials, quadratic_form, triangle

SHAPES = ("full", "diagonal", "isotropic")


def encoder(shape: str = "full", count: int = 7) -> GaussianEncoder:
    torch.manual_seed(0)
    made = GaussianEncoder(GaussianConfig(count, shape), 9).double()  # type: ignore[arg-type]
    with torch.no_grad():
        made.triangles += 0.3 * torch.randn_like(made.triangles)
    return made


@pytest.mark.parametrize("shape", SHAPES)
def test_a_response_is_the_gaussian_of_its_definition(shape: str) -> None:
    made, xyz = encoder(shape), torch.randn(2, 11, 3, dtype=torch.float64)
    found = made.responses(xyz)
    for k in range(7):
        a, b, c, d, e, f = made.triangles[k].tolist()
        t = {
            "full": [[a, 0, 0], [b, d, 0], [c, e, f]],
            "diagonal": [[a, 0, 0], [0, d, 0], [0, 0, f]],
            "isotropic": [[a, 0, 0], [0, a, 0], [0, 0, a]],
        }[shape]
        p = np.array(t) @ np.array(t).T
        away = xyz.numpy() - made.means[k].detach().numpy()
        expected = np.exp(-0.5 * np.einsum("bni,ij,bnj->bn", away, p, away))
        np.testing.assert_allclose(found[..., k].detach(), expected, rtol=1e-10)
    mixed = found @ made.mixer.weight.T + made.mixer.bias
    torch.testing.assert_close(made(xyz), mixed)


def test_gradients_are_exact_and_unused_numbers_have_none() -> None:
    for shape in SHAPES:
        made, xyz = encoder(shape, 3), torch.randn(5, 3, dtype=torch.float64)

        def value(means, triangles, made=made, xyz=xyz, shape=shape):
            factors = triangle(triangles, shape)
            form = quadratic_form(means, factors @ factors.mT)
            return (monomials(xyz) @ form.mT).exp()

        assert torch.autograd.gradcheck(value, (made.means, made.triangles))
        made(xyz).sum().backward()
        used = made.triangles.grad.abs().amax(0) > 0
        expected = {"full": 6, "diagonal": 3, "isotropic": 1}[shape]
        assert int(used.sum()) == expected


def test_far_and_sharp_in_single_precision() -> None:
    """The expansion cancels; a response stays below 1 and near the exact one."""
    made = encoder().float()
    with torch.no_grad():
        made.triangles[:] = torch.tensor([20.0, 0, 0, 20.0, 0, 20.0])
        made.means.clamp_(-1, 1)
    xyz = made.means.detach() + 0.01 * torch.randn(7, 3)
    found = made.responses(xyz)
    exact = made.double().responses(xyz.double())
    assert (found <= 1).all()
    np.testing.assert_allclose(found.detach(), exact.detach(), atol=5e-4)


def test_starts_lie_where_they_say() -> None:
    grid = GaussianEncoder(GaussianConfig(8, start="grid", reach=2.0), 4)
    expected = {(x, y, z) for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)}
    assert {tuple(m) for m in grid.means.tolist()} == expected
    layered = GaussianEncoder(GaussianConfig(1 + 8 + 5, start="layered"), 4)
    assert layered.means[0].tolist() == [0, 0, 0]
    np.testing.assert_allclose(layered.triangles[[0, 1, 9], 0].detach(), [1, 2, 4])
    assert (layered.means.abs() < 1).all() and len(layered.means.unique(dim=0)) == 14
    far = GaussianEncoder(GaussianConfig(500, reach=5.0), 4)
    assert far.means.abs().max() > 4.5 and (far.means.abs() <= 5).all()


def test_k_means_finds_clusters() -> None:
    torch.manual_seed(0)
    centres = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 1]])
    points = torch.cat([c + 0.1 * torch.randn(200, 3) for c in centres])
    made = GaussianEncoder(GaussianConfig(3, start="k-means"), 4)
    made.start_at(points)
    distances = torch.cdist(centres, made.means.detach())
    assert (distances.amin(1) < 0.05).all()
    np.testing.assert_allclose(1 / made.triangles[:, 0].detach(), 0.1, rtol=0.15)
    with pytest.raises(ValueError, match="expected 3 or more"):
        made.start_at(points[:2])

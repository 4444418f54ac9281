"""The closed forms against the Fisher information, by Kronecker products, by expectation and by
samples; and what a natural step does not depend on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pointcloud.config import COLUMNS, ROWS, GaussianConfig
from pointcloud.gaussian_encoder import GaussianEncoder, triangle
from pointcloud.natural_gradient import (
    GaussianDescent,
    fisher_information,
    natural_factor_gradient,
    natural_mean_gradient,
)


def factors(count: int, seed: int = 0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    entries = 0.6 * torch.randn(count, 6, generator=g, dtype=torch.float64)
    entries[:, [0, 3, 5]] += torch.tensor([1.0, -1.5, 0.7], dtype=torch.float64)
    return triangle(entries)


def kronecker_inverse(t: np.ndarray) -> np.ndarray:
    """1/2 M (L N L^T)^-1 M^T with M = L (I (x) T) L^T, as published (arXiv 2511.04797's code)."""
    elimination = np.zeros((6, 9))
    for row, (i, j) in enumerate(zip(ROWS, COLUMNS, strict=True)):
        elimination[row, 3 * j + i] = 1.0  # vec goes down the columns
    commutation = np.zeros((9, 9))
    for i in range(3):
        for j in range(3):
            commutation[3 * i + j, 3 * j + i] = 1.0
    symmetric = 0.5 * (np.eye(9) + commutation)
    m = elimination @ np.kron(np.eye(3), t) @ elimination.T
    return 0.5 * m @ np.linalg.inv(elimination @ symmetric @ elimination.T) @ m.T


def test_the_closed_form_is_the_inverse_of_the_information() -> None:
    t = factors(5)
    units = torch.zeros(6, 3, 3, dtype=t.dtype)
    units[torch.arange(6), ROWS, COLUMNS] = 1.0
    for one in t:
        columns = [natural_factor_gradient(one[None], unit[None])[0] for unit in units]
        inverse = torch.stack([column[ROWS, COLUMNS] for column in columns], 1)
        information = fisher_information(one[None])[0]
        torch.testing.assert_close(inverse @ information, torch.eye(6, dtype=t.dtype))
        np.testing.assert_allclose(inverse, kronecker_inverse(one.numpy()), atol=1e-12)


def test_the_information_is_that_of_samples() -> None:
    """E[score score^T] of N(mu, (T T^T)^-1), for the mean and the six numbers of T together."""
    t = factors(1)[0]
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(400_000, 3, generator=generator, dtype=torch.float64)
    x = noise @ torch.linalg.inv(t)  # covariance T^-T T^-1
    # log p = log|det T| - 1/2 |T^T x|^2, differentiated by hand
    of_mean = x @ t @ t.T
    of_t = torch.linalg.inv(t).T - torch.einsum("ni,nj->nij", x, x @ t)
    scores = torch.cat([of_mean, of_t[:, ROWS, COLUMNS]], 1)
    found = scores.T @ scores / len(x)
    expected = torch.block_diag(t @ t.T, fisher_information(t[None])[0])
    np.testing.assert_allclose(found, expected, atol=0.03 * float(expected.abs().max()))


def test_a_natural_gradient_of_a_mean_is_sigma_g() -> None:
    t = factors(4)
    gradient = torch.randn(4, 3, dtype=t.dtype)
    expected = torch.linalg.solve(t @ t.mT, gradient[..., None])[..., 0]
    torch.testing.assert_close(natural_mean_gradient(t, gradient), expected)


@pytest.mark.parametrize("shape", ["full", "diagonal", "isotropic"])
def test_other_units_give_the_same_step(shape: str) -> None:
    """A world ten times as large: the natural step of a mean is ten times as large, too, that of T
    a tenth; a plain step is not."""
    moved = {}
    for rule in ("natural", "sgd"):
        for size in (1.0, 10.0):
            torch.manual_seed(0)
            encoder = GaussianEncoder(GaussianConfig(4, shape), 5).double()  # type: ignore[arg-type]
            with torch.no_grad():
                encoder.means *= size
                encoder.triangles /= size
            xyz = size * torch.randn(50, 3, dtype=torch.float64).clamp(-1, 1)
            before = encoder.means.detach().clone(), encoder.triangles.detach().clone()
            encoder(xyz).square().sum().backward()
            GaussianDescent([encoder], 1e-4, rule, most=1e9).step()
            after = encoder.means.detach(), encoder.triangles.detach()
            moved[rule, size] = after[0] - before[0], after[1] - before[1]
    (mean, t), (mean_10, t_10) = moved["natural", 1.0], moved["natural", 10.0]
    torch.testing.assert_close(mean_10, 10 * mean)
    torch.testing.assert_close(t_10, t / 10)
    assert not torch.allclose(moved["sgd", 10.0][0], 10 * moved["sgd", 1.0][0])


@pytest.mark.parametrize("shape", ["diagonal", "isotropic"])
def test_other_shapes_have_the_information_of_what_they_use(shape: str) -> None:
    """By the expected second derivative: E[-log p] differentiated twice at the same Gaussian."""
    entry = torch.tensor([[0.7, 0.1, 0.2, 1.3, 0.3, 2.1]], dtype=torch.float64)
    p = triangle(entry, shape)[0]
    sigma = torch.linalg.inv(p @ p.T)

    def expected_surprise(numbers: torch.Tensor) -> torch.Tensor:
        t = triangle(numbers[None], shape)[0]
        return 0.5 * torch.trace(t @ t.T @ sigma) - torch.logdet(t)

    used = [0, 3, 5] if shape == "diagonal" else [0]
    information = torch.autograd.functional.hessian(expected_surprise, entry[0])[used][:, used]
    gradient = torch.randn(len(used), dtype=torch.float64)
    expected = torch.linalg.solve(information, gradient)
    encoder = GaussianEncoder(GaussianConfig(1, shape), 2).double()  # type: ignore[arg-type]
    with torch.no_grad():
        encoder.triangles.copy_(entry)
    slope = torch.zeros(1, 6, dtype=torch.float64)
    slope[0, used] = gradient
    encoder.triangles.grad = slope
    GaussianDescent([encoder], 1e-6, momentum=0.0).step()
    moved = (entry - encoder.triangles.detach())[0, used] / 1e-6
    torch.testing.assert_close(moved, expected, rtol=1e-6, atol=1e-8)


def test_steps_are_bounded_and_no_gaussian_collapses() -> None:
    encoder = GaussianEncoder(GaussianConfig(3), 4)
    with torch.no_grad():
        encoder.triangles[:] = torch.tensor([0.01, 0.0, 0.0, -0.01, 0.0, 1.0])
        before = encoder.means.clone()
    encoder.means.grad = torch.full((3, 3), 1e6)
    encoder.triangles.grad = torch.tensor([[1e6, 0, 0, -1e6, 0, 0]]).expand(3, 6).clone()
    GaussianDescent([encoder], 1.0, most=0.2).step()
    t = triangle(torch.tensor([[0.01, 0.0, 0.0, -0.01, 0.0, 1.0]]))
    lengths = (t.mT @ (encoder.means.detach() - before)[..., None])[..., 0].norm(dim=-1)
    assert (lengths < 0.2001).all()
    diagonal = encoder.triangles.detach()[:, [0, 3]]
    assert (diagonal.abs() >= 0.01).all() and (diagonal[:, 1] < 0).all()
    encoder.means.grad = torch.full((3, 3), float("nan"))
    at = encoder.means.detach().clone()
    GaussianDescent([encoder], 1.0).step()
    assert torch.equal(encoder.means.detach(), at)

"""The fused loss against float64 torch: value, gradient, small pictures, NaN, threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from simd.threads import set_threads
from splatting.cpu.ssim import SsimWorkspace, l1_dssim


def pair(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(height * 1000 + width)
    photo = rng.random((height, width, 3))
    render = np.clip(photo + 0.2 * rng.normal(size=photo.shape), -0.1, 1.2)
    return render.astype(np.float32), photo.astype(np.float32)


def reference(render: np.ndarray, photo: np.ndarray, weight: float):
    """L1 and SSIM with depthwise 2D convolutions, zero padded, as 3DGS defines them."""
    p = torch.tensor(render.astype(np.float64).transpose(2, 0, 1)[None], requires_grad=True)
    q = torch.tensor(photo.astype(np.float64).transpose(2, 0, 1)[None])
    taps = torch.exp(-((torch.arange(11, dtype=torch.float64) - 5) ** 2) / (2 * 1.5**2))
    taps = taps / taps.sum()
    window = (taps[:, None] * taps[None]).expand(3, 1, 11, 11)

    def blur(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(x, window, padding=5, groups=3)

    mean_p, mean_q = blur(p), blur(q)
    var_p, var_q = blur(p * p) - mean_p**2, blur(q * q) - mean_q**2
    cov = blur(p * q) - mean_p * mean_q
    above = (2 * mean_p * mean_q + 0.01**2) * (2 * cov + 0.03**2)
    below = (mean_p**2 + mean_q**2 + 0.01**2) * (var_p + var_q + 0.03**2)
    ssim, l1 = (above / below).mean(), (p - q).abs().mean()
    loss = (1 - weight) * l1 + weight * (1 - ssim)
    loss.backward()
    return loss.item(), l1.item(), ssim.item(), p.grad[0].numpy().transpose(1, 2, 0)


@pytest.mark.parametrize("size", [(64, 48), (37, 90), (7, 5), (1, 1), (11, 200)])
@pytest.mark.parametrize("weight", [0.0, 0.2, 1.0])
def test_value_and_gradient(size: tuple[int, int], weight: float) -> None:
    render, photo = pair(*size)
    gradient = np.empty_like(render)
    found = l1_dssim(render, photo, weight, gradient, SsimWorkspace())
    *exact, slope = reference(render, photo, weight)
    np.testing.assert_allclose(found, exact, atol=2e-6)
    np.testing.assert_allclose(gradient, slope, atol=2e-4 * np.abs(slope).max())


def test_equal_pictures_have_no_loss() -> None:
    _, photo = pair(40, 30)
    loss, l1, ssim = l1_dssim(photo, photo, 0.2, np.empty_like(photo), SsimWorkspace())
    assert (loss, l1, ssim) == (pytest.approx(0, abs=1e-6), 0, pytest.approx(1, abs=1e-6))


def test_a_nan_reaches_the_loss() -> None:
    render, photo = pair(20, 20)
    render[3, 4, 1] = np.nan
    assert np.isnan(l1_dssim(render, photo, 0.2, np.empty_like(render), SsimWorkspace())[0])


def test_one_and_two_threads_agree_bit_for_bit_and_buffers_are_reused() -> None:
    render, photo = pair(70, 90)
    work, found = SsimWorkspace(), []
    for threads in (1, 2):
        set_threads(threads)
        gradient = np.empty_like(render)
        found.append((l1_dssim(render, photo, 0.2, gradient, work), gradient))
        small = pair(20, 30)
        l1_dssim(*small, 0.2, np.empty_like(small[0]), work)
    set_threads(None)
    assert found[0][0] == found[1][0]
    np.testing.assert_array_equal(found[0][1], found[1][1])

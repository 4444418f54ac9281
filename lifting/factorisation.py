"""Structure from motion by factorisation: rigid (Tomasi and Kanade 1992), block matrix (Dai, Li and
He 2012) and trajectory basis (Akhter et al. 2008).

They know nothing of animals and need the animal to turn: with a still camera there is little to
factorise. Points must be there in all frames; the sign of depth, which no orthographic camera can
tell, is that of a camera above the ground.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

_ROUNDS = 60
_ALTERNATIONS = 30


def rigid(xy: Float64[np.ndarray, "t j 2"]) -> Float64[np.ndarray, "t j 3"]:
    """One shape that turns and grows (Tomasi and Kanade): places in the camera's axes."""
    rotations, scales, shape = _motion(xy)
    turned = scales[:, None, None] * (shape[None] @ rotations.transpose(0, 2, 1))
    return _above(turned)


def block_matrix(xy: Float64[np.ndarray, "t j 2"]) -> Float64[np.ndarray, "t j 3"]:
    """The sequence of shapes of least nuclear norm that projects onto the tracks (BMM, equation
    17), under the rotations of the rigid shape; by proximal steps with a falling weight."""
    rotations, scales, _ = _motion(xy)
    frames, joints = xy.shape[:2]
    seen = (xy - xy.mean(axis=1, keepdims=True)).transpose(0, 2, 1)
    cameras = scales[:, None, None] * rotations[:, :2]
    inverse = np.linalg.pinv(cameras)
    shapes = inverse @ seen
    top = np.linalg.norm(shapes.reshape(frames, -1), 2)
    for step in range(_ROUNDS):
        u, s, vt = np.linalg.svd(shapes.reshape(frames, 3 * joints), full_matrices=False)
        s = np.maximum(0.0, s - top * max(1e-3, 0.3 * 0.93**step))
        low = ((u * s) @ vt).reshape(frames, 3, joints)
        shapes = low + inverse @ (seen - cameras @ low)
    turned = scales[:, None, None] * (rotations @ shapes)
    return _above(turned.transpose(0, 2, 1))


def trajectory_basis(
    xy: Float64[np.ndarray, "t j 2"], terms: int = 6
) -> Float64[np.ndarray, "t j 3"]:
    """Each joint's path as a few cosines (PTA), under the rotations of the rigid shape."""
    rotations, scales, _ = _motion(xy)
    frames, joints = xy.shape[:2]
    seen = xy - xy.mean(axis=1, keepdims=True)
    terms = min(terms, frames)
    times = np.arange(frames) + 0.5
    cosines = np.cos(np.pi * np.outer(times, np.arange(terms)) / frames)
    cameras = scales[:, None, None] * rotations[:, :2]
    design = np.einsum("trc,tk->trkc", cameras, cosines).reshape(2 * frames, 3 * terms)
    wanted = seen.transpose(0, 2, 1).reshape(2 * frames, joints)
    weights = np.linalg.lstsq(design, wanted, rcond=1e-6)[0].reshape(terms, 3, joints)
    shapes = np.einsum("tk,kcj->tcj", cosines, weights)
    turned = scales[:, None, None] * (rotations @ shapes)
    return _above(turned.transpose(0, 2, 1))


def _motion(
    xy: np.ndarray,
) -> tuple[Float64[np.ndarray, "t 3 3"], Float64[np.ndarray, "t"], Float64[np.ndarray, "j 3"]]:
    """Rotations, scales and the rigid shape, by the three largest singular values and the metric
    upgrade that makes the rows of each camera orthogonal and equally long; then shape and cameras
    in turns, each for the other."""
    frames, joints = xy.shape[:2]
    seen = (xy - xy.mean(axis=1, keepdims=True)).transpose(0, 2, 1).reshape(2 * frames, joints)
    u, s, vt = np.linalg.svd(seen, full_matrices=False)
    rank = min(3, len(s))
    cameras, shape = np.zeros((2 * frames, 3)), np.zeros((3, joints))
    cameras[:, :rank] = u[:, :rank] * np.sqrt(s[:rank])
    shape[:rank] = np.sqrt(s[:rank])[:, None] * vt[:rank]
    upgrade = _metric(cameras)
    cameras, shape = cameras @ upgrade, np.linalg.pinv(upgrade) @ shape
    rows, scales = np.zeros((frames, 2, 3)), np.ones(frames)
    for _ in range(_ALTERNATIONS):
        left, size, right = np.linalg.svd(cameras.reshape(frames, 2, 3), full_matrices=False)
        rows, scales = left @ right, size.mean(axis=1)
        exact = (scales[:, None, None] * rows).reshape(2 * frames, 3)
        shape = np.linalg.pinv(exact, rcond=1e-3) @ seen
        cameras = seen @ np.linalg.pinv(shape, rcond=1e-3)
    rotations = np.concatenate([rows, np.cross(rows[:, 0], rows[:, 1])[:, None]], axis=1)
    middle = float(np.mean(scales)) or 1.0
    return rotations, scales / middle, (shape * middle).T


def _metric(cameras: np.ndarray) -> Float64[np.ndarray, "3 3"]:
    """A, with A A^T = Q: i Q i = j Q j and i Q j = 0 in all frames, in the sense of least squares,
    and Q no less than a little positive."""
    i, j = cameras[0::2], cameras[1::2]
    rows = np.concatenate([_products(i, i) - _products(j, j), _products(i, j)])
    size = (_products(i, i) + _products(j, j)).mean(axis=0, keepdims=True)
    rows = np.concatenate([rows, size * len(i)])
    wanted = np.zeros(len(rows))
    wanted[-1] = 2.0 * len(i)
    q = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    values, axes = np.linalg.eigh(
        np.array([[q[0], q[1], q[2]], [q[1], q[3], q[4]], [q[2], q[4], q[5]]])
    )
    values = np.maximum(values, 1e-3 * max(float(values.max()), 1e-9))
    return axes * np.sqrt(values)


def _products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Coefficients of a Q b for a symmetric Q in its six numbers."""
    mixed = [a[:, p] * b[:, q] + a[:, q] * b[:, p] for p, q in ((0, 1), (0, 2), (1, 2))]
    same = [a[:, p] * b[:, p] for p in range(3)]
    return np.stack([same[0], mixed[0], mixed[1], same[1], mixed[2], same[2]], axis=1)


def _above(xyz: np.ndarray) -> np.ndarray:
    """That one of the two depth signs in which what is lower in the picture is nearer."""
    near = xyz - xyz.mean(axis=1, keepdims=True)
    lower_is_farther = (near[..., 1] * near[..., 2]).sum() > 0
    return xyz * np.array([1.0, 1.0, -1.0]) if lower_is_farther else xyz

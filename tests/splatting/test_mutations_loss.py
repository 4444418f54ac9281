"""Each term of the loss's backward, set to zero, must show in its gradient (see test_mutations)."""

from __future__ import annotations

import ast
import inspect
import types

import numpy as np

from simd.lane_functions import only_first
from splatting.cpu import blur, ssim

SLOPES = {
    *("by_mean", "by_square", "by_product", "of_photo", "of_render"),
    *("similar", "slope", "by_l1", "by_ssim"),
}


def addends(value: ast.expr) -> list[ast.expr]:
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub):
        return [*addends(value.left), value.right]
    return [value]


def plain_module(target: int | None) -> tuple[types.ModuleType, int, str]:
    """The loss without numba, term `target` zero; how many terms there are, and which it was."""
    tree = ast.parse(inspect.getsource(ssim))
    count, hit = 0, ""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        function.decorator_list = []
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in SLOPES:
                for term in addends(node.value):
                    if count == target:
                        hit = f"{ast.unparse(term)} in {ast.unparse(node)}"
                        zeroed = ast.BinOp(
                            ast.Constant(0.0),
                            ast.Mult(),
                            ast.parse(ast.unparse(term), mode="eval").body,
                        )
                        node.value = replaced(node.value, term, zeroed)
                    count += 1
    plain = executed(tree, "plain_ssim")
    window = ast.parse(inspect.getsource(blur))
    for function in ast.walk(window):
        if isinstance(function, ast.FunctionDef):
            function.decorator_list = []
    made = executed(window, "plain_blur")
    for name in ("along_x", "moments_along_y", "padded", "slopes_along_y"):
        plain.__dict__[name] = made.__dict__[name]
    plain.__dict__.update(prange=range, only_first=only_first.py_func)
    return plain, count, hit


def executed(tree: ast.Module, name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    exec(compile(ast.fix_missing_locations(tree), name, "exec"), module.__dict__)
    return module


def replaced(value: ast.expr, old: ast.expr, new: ast.expr) -> ast.expr:
    if value is old:
        return new
    if isinstance(value, ast.BinOp):
        value.left, value.right = replaced(value.left, old, new), replaced(value.right, old, new)
    return value


def gradient_of(module: types.ModuleType) -> np.ndarray:
    rng = np.random.default_rng(0)
    photo = rng.random((9, 8, 3)).astype(np.float32)
    render = (photo + 0.3 * rng.normal(size=photo.shape)).astype(np.float32)
    gradient = np.empty_like(render)
    with np.errstate(all="ignore"):
        module.l1_dssim(render, photo, 0.2, gradient, module.SsimWorkspace())
    return gradient


def test_every_term_of_the_loss_gradient_is_noticed() -> None:
    truth = gradient_of(ssim)
    scale = np.abs(truth).max()
    whole, count, _ = plain_module(None)
    np.testing.assert_allclose(gradient_of(whole), truth, atol=2e-4 * scale)
    survivors = []
    for target in range(count):
        mutant, _, hit = plain_module(target)
        if np.allclose(gradient_of(mutant), truth, rtol=0, atol=2e-4 * scale):
            survivors.append(hit)
    assert count >= 13
    assert not survivors, survivors

"""A gradient test is worth what it catches: each term of the backward, set to zero, must be
noticed.

The backward functions are read as source. For every added term one mutant is made in which it is
zero, run in plain Python on a small scene that exercises everything, and compared with the true
gradients.
"""

from __future__ import annotations

import ast
import inspect
import sys
import types
from collections.abc import Iterator

import numpy as np
import pytest

from data.camera import Camera
from splatting import kernels
from splatting.cpu import (
    blending_backward,
    compositing_backward,
    harmonic_rows,
    pipeline,
    projection_backward,
    spherical_harmonics,
)
from splatting.splats import PARAMETERS, Splats

BACKWARD = {
    "splatting.cpu.blending_backward": (
        "plus_product",
        "_shaded",
        "_weighed",
        "blend_backward_at_once",
        "_weigh",
        "_sum_outputs",
        "_sum_moments",
    ),
    "splatting.cpu.compositing_backward": ("_read", "moments_to_gradients"),
    "splatting.cpu.projection_backward": (
        "project_backward",
        "_axis",
        "_to_parameters",
        "_along_direction",
    ),
    "splatting.cpu.harmonic_rows": ("turn_worth", "add_worth", "write_gradients"),
    "splatting.cpu.spherical_harmonics": ("basis_slope",),
}
NOT_GRADIENTS = {"patches", "place"}
"""Names in those functions that count or place things."""

WIDTH, HEIGHT = 37, 14
"""Two tiles, the second with patches that the edge cuts."""


def scene() -> tuple[Splats, Camera]:
    """Nine splats on two tiles: hidden, bright, dark, slanted, at the edge, beyond the
    clamp."""
    rng = np.random.default_rng(4)
    n, f32 = 9, np.float32
    z = rng.uniform(1.5, 3, n)
    xy = rng.uniform(-0.35, 0.35, (n, 2)) * z[:, None]
    xy[0] = [2.2, -2.4]  # outside the clamp of the Jacobian on both axes, wide enough to be seen
    z[0] = 1.6
    log_scales = rng.uniform(-2.4, -1.2, (n, 3))
    log_scales[0] = 0.0
    logits = rng.uniform(-1.5, 1.5, n)
    logits[1] = 7.0
    splats = Splats(
        means=np.column_stack([xy, z]).astype(f32),
        log_scales=log_scales.astype(f32),
        quats=(1.7 * rng.normal(size=(n, 4))).astype(f32),
        logit_opacities=logits.astype(f32),
        sh0=rng.normal(0, 1, (n, 3)).astype(f32),
        shN=rng.normal(0, 0.5, (n, 15, 3)).astype(f32),
        kernel=kernels.get("raised-cosine"),
        antialiased=True,
    )
    # turned about all three axes: the term of a rotation's entry that is 0 could not be missed
    pose = np.eye(4)
    pose[:3, :3], _ = np.linalg.qr(np.eye(3) + rng.uniform(-0.3, 0.3, (3, 3)))
    pose[:3, :3] *= np.sign(np.diag(pose[:3, :3]))
    splats.means[:] = (splats.means - [0.1, 0.2, 0.0]) @ pose[:3, :3]
    pose[:3, 3] = [0.1, 0.2, 0.0]
    intrinsics = np.array([[18.0, 0, 29.5], [0, 17.0, 7.5], [0, 0, 1]])
    return splats, Camera(intrinsics, pose, WIDTH, HEIGHT)


class Terms(ast.NodeTransformer):
    """Counts the added terms of a function, and sets the one numbered `target` to zero."""

    def __init__(self, target: int | None) -> None:
        self.count, self.target, self.hit = 0, target, ""

    def _zero(self, term: ast.expr, where: ast.stmt) -> ast.expr:
        number, self.count = self.count, self.count + 1
        if number != self.target:
            return term
        self.hit = f"line {where.lineno}: {ast.unparse(term)} in {ast.unparse(where)}"
        return ast.BinOp(ast.Constant(0.0), ast.Mult(), term)

    def _addends(self, value: ast.expr, where: ast.stmt) -> ast.expr:
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub):
            value.left = self._addends(value.left, where)
            value.right = self._zero(value.right, where)
            return value
        return self._zero(value, where)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AugAssign:
        if ast.unparse(node.target) not in NOT_GRADIENTS:
            node.value = self._zero(node.value, node)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        target = node.targets[0]
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = zip(target.elts, node.value.elts, strict=True)
            node.value.elts = [self._assigned(t, value, node) for t, value in pairs]
        else:
            node.value = self._assigned(target, node.value, node)
        return node

    def _assigned(self, target: ast.expr, value: ast.expr, where: ast.stmt) -> ast.expr:
        name = ast.unparse(target)
        gradient = name.startswith(("d_", "g_", "remaining")) and "[" not in name.split("(")[0]
        written = name.startswith(("g_", "g[", "v[G_", "v[BY_", "h[SLOPE", "h[sh.WEIGHT"))
        # calls only make room or start sums at zero
        fixed = isinstance(value, ast.Tuple | ast.IfExp | ast.Constant | ast.Call)
        return self._addends(value, where) if (gradient or written) and not fixed else value


class Plain(ast.NodeTransformer):
    """Strips the decorators: the function runs in the interpreter."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.decorator_list = []
        self.generic_visit(node)
        return node


def plain_modules(mutate: tuple[str, str, int] | None) -> tuple[dict[str, types.ModuleType], str]:
    """The modules without numba, one term of one function zero; and which term that was. A splat
    visits its patches once where the mutant is in that loop, else in turn."""
    made: dict[str, types.ModuleType] = {}
    hit = ""
    modules = (
        spherical_harmonics,
        harmonic_rows,
        blending_backward,
        compositing_backward,
        projection_backward,
    )
    for module in modules:
        name = module.__name__
        tree = ast.parse(inspect.getsource(module))
        if mutate is not None and mutate[0] == name:
            terms = Terms(mutate[2])
            for node in tree.body:
                if isinstance(node, ast.FunctionDef) and node.name == mutate[1]:
                    terms.visit(node)
            hit = f"{name}.{mutate[1]} {terms.hit}"
        tree = ast.fix_missing_locations(Plain().visit(tree))
        plain = types.ModuleType(name)
        plain.__dict__["__file__"] = module.__file__
        exec(compile(tree, name, "exec"), plain.__dict__)
        plain.__dict__.update(prange=range)
        made[name] = plain
    harmonics = made["splatting.cpu.spherical_harmonics"]
    blending = made["splatting.cpu.blending_backward"]
    blending.__dict__.update(paint_and_slope=_paint_and_slope)
    at_once = mutate is not None and mutate[1] == "blend_backward_at_once"
    visit = blending.blend_backward_at_once if at_once else blending.blend_backward_in_turn
    loops = made["splatting.cpu.compositing_backward"]
    loops.__dict__.update(coefficients=_coefficients, blend_backward=visit)
    made["splatting.cpu.projection_backward"].__dict__.update(
        sh=harmonics,
        hr=made["splatting.cpu.harmonic_rows"],
        moments_to_gradients=loops.moments_to_gradients,
    )
    return made, hit


def _coefficients(program: tuple) -> np.ndarray:
    return np.array([program, np.arange(len(program)) * program], np.float32)


def _paint_and_slope(
    program: tuple, table: np.ndarray, place: int, slopes: int, stride: int, q: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    value, slope = (
        np.array([table[first + i * stride] for i in range(len(program))])
        for first in (place, slopes)
    )
    polynomial = np.polynomial.polynomial.polyval
    return polynomial(q, value), polynomial(q, slope[1:])


def gradients_with(
    modules: dict[str, types.ModuleType], frame: pipeline.Frame, outputs: tuple
) -> dict[str, np.ndarray]:
    """`pipeline.backward` through the given modules."""
    kept = pipeline.compositing_backward, pipeline.projection_backward
    plain = modules["splatting.cpu.compositing_backward"]
    try:
        pipeline.compositing_backward = plain  # type: ignore[assignment]
        backward = modules["splatting.cpu.projection_backward"]
        pipeline.projection_backward = backward  # type: ignore[assignment]
        gradients = pipeline.backward(pipeline.Workspace(), frame, *outputs)
    finally:
        pipeline.compositing_backward, pipeline.projection_backward = kept
    return {name: getattr(gradients, name).copy() for name in (*PARAMETERS, "screen")}


def mutants() -> Iterator[tuple[str, str, int]]:
    for module, functions in BACKWARD.items():
        tree = ast.parse(inspect.getsource(sys.modules[module]))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name in functions:
                terms = Terms(None)
                terms.visit(node)
                for number in range(terms.count):
                    yield module, node.name, number


@pytest.fixture(scope="module")
def prepared() -> tuple[pipeline.Frame, tuple, dict[str, np.ndarray]]:
    splats, camera = scene()
    work = pipeline.Workspace()
    frame = pipeline.forward(work, splats, camera, 3, np.array([0.2, 0.4, 0.6], np.float32))
    assert len(frame.visible) == len(splats)
    rng = np.random.default_rng(3)
    shape = (HEIGHT, WIDTH)
    outputs = tuple(rng.normal(size=s).astype(np.float32) for s in ((*shape, 3), shape, shape))
    compiled = pipeline.backward(pipeline.Workspace(), frame, *outputs)
    truth = {name: getattr(compiled, name).copy() for name in (*PARAMETERS, "screen")}
    return frame, outputs, truth


def differs(found: dict[str, np.ndarray], truth: dict[str, np.ndarray]) -> bool:
    """The criterion of the gradient test."""
    return any(
        not np.allclose(found[name], truth[name], rtol=2e-3, atol=5e-4 * np.abs(truth[name]).max())
        for name in truth
    )


@pytest.mark.parametrize("visits", ["at_once", "in_turn"])
def test_without_a_mutation_plain_python_gives_the_compiled_gradients(prepared, visits) -> None:
    frame, outputs, truth = prepared
    modules, _ = plain_modules(None)
    blending = modules["splatting.cpu.blending_backward"]
    visit = getattr(blending, f"blend_backward_{visits}")
    modules["splatting.cpu.compositing_backward"].__dict__.update(blend_backward=visit)
    assert not differs(gradients_with(modules, frame, outputs), truth)


def test_every_term_of_the_backward_is_noticed(prepared) -> None:
    frame, outputs, truth = prepared
    survivors, tried = [], 0
    with np.errstate(all="ignore"):
        for mutant in mutants():
            modules, hit = plain_modules(mutant)
            tried += 1
            if not differs(gradients_with(modules, frame, outputs), truth):
                survivors.append(hit)
    assert tried > 100
    assert not survivors, "\n".join(survivors)

"""What is replaced in the shader with which viser's client draws splats, and by what.

Replaced are the falloff, so that the run's own kernel is drawn, and what else differs from our
rasteriser: splats that viser drops (small, faint, with a centre beyond the border of the canvas,
or projected to an exact circle), its cut at 1/100 in place of 1/255, its alpha above 0.99, a
Jacobian without a limit and the width of its quad. Every text must be there exactly once.
"""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING

from app.viewer.client_build import NotAsExpected
from app.viewer.falloff_glsl import falloff, number

if TYPE_CHECKING:
    from splatting.kernels import Kernel

_TEXTS = {
    # phones compute in 16 bits where nothing more is asked for
    "precision of positions": """\
precision highp usampler2D; // Most important: ints must be 32-bit.
  precision mediump float;
""",
    "precision of pixels": """\
precision mediump float;

  uniform vec2 viewport;

  in vec4 vRgba;
""",
    "centres that are drawn": """\
    float clip = 1.1 * pos2d.w;
""",
    "Jacobian": """\
        -(fx * c_cam.x) / (c_cam.z * c_cam.z), -(fy * c_cam.y) / (c_cam.z * c_cam.z), 0.
""",
    "low-pass": """\
    float diag1 = cov_proj[0][0] + 0.3;
    float offDiag = cov_proj[0][1];
    float diag2 = cov_proj[1][1] + 0.3;
""",
    "axes": """\
    float lambda2 = mid - radius;
    if (lambda2 < 0.0)
      return;
    vec2 diagonalVector = normalize(vec2(offDiag, lambda1 - diag1));
    vec2 v1 = min(sqrt(2.0 * lambda1), 1024.0) * diagonalVector;
    vec2 v2 = min(sqrt(2.0 * lambda2), 1024.0) * vec2(diagonalVector.y, -diagonalVector.x);
""",
    "splats that are drawn": """\
    float weightedDeterminant = vRgba.a * (diag1 * diag2 - offDiag * offDiag);
    if (weightedDeterminant < 0.25)
      return;
""",
    "falloff": """\
    float A = -dot(vPosition, vPosition);
    if (A < -4.0) discard;
    float B = exp(A) * vRgba.a;
    if (B < 0.01) discard;  // alphaTest.
""",
}
"""As they stand in viser 1.1.1, by what they decide."""

_AXES = """\
    float lambda2 = max(mid - radius, 0.3);
    float halfDifference = 0.5 * (diag1 - diag2);
    vec2 diagonalVector = normalize(halfDifference >= 0.0
        ? vec2(halfDifference + radius + 1e-9, offDiag)
        : vec2(offDiag, radius - halfDifference));
    vec2 v1 = min(sqrt({quad} * lambda1), 16384.0) * diagonalVector;
    vec2 v2 = min(sqrt({quad} * lambda2), 16384.0) * vec2(diagonalVector.y, -diagonalVector.x);
"""
"""An eigenvector from the difference that does not cancel."""

_KEEP_PAINT = """\
    float bare = (diag1 - 0.3) * (diag2 - 0.3) - offDiag * offDiag;
    vRgba.a *= sqrt(max(bare, 0.0) / (diag1 * diag2 - offDiag * offDiag));
"""
_DRAWN = """\
    if (vRgba.a < 0.5 / 255.0)
      return;
"""
_FALLOFF = """\
    float q = {quad} * dot(vPosition, vPosition);
    if (q > {end}) discard;
{falloff}
    float B = min(f * vRgba.a, 0.99);
    if (B < 1.0 / 255.0) discard;
"""


def changes(kernel: Kernel, antialiased: bool = False) -> dict[str, tuple[str, str]]:
    """Old and new text of each change, for splats of one kernel."""
    # the quad reaches to +-2 along each axis, which has to be the support
    quad, end = number(kernel.support**2 / 4.0), number(kernel.support**2)
    old = _TEXTS
    new = {
        "precision of positions": old["precision of positions"].replace("mediump", "highp"),
        "precision of pixels": old["precision of pixels"].replace("mediump", "highp"),
        "centres that are drawn": "    float clip = 1e6 * pos2d.w;\n",
        "Jacobian": (
            "        "
            "-fx * clamp(c_cam.x / c_cam.z, -1.3 / projectionMatrixCustom[0][0],"
            " 1.3 / projectionMatrixCustom[0][0]) / c_cam.z,"
            " -fy * clamp(c_cam.y / c_cam.z, -1.3 / projectionMatrixCustom[1][1],"
            " 1.3 / projectionMatrixCustom[1][1]) / c_cam.z, 0.\n"
        ),
        "low-pass": old["low-pass"],  # ours as it is: but it has to be there
        "axes": _AXES.format(quad=quad),
        "splats that are drawn": _KEEP_PAINT * antialiased + _DRAWN,
        "falloff": _FALLOFF.format(quad=quad, end=end, falloff=indent(falloff(kernel), "    ")),
    }
    return {name: (old[name], new[name]) for name in old}


def changed(program: str, replacements: dict[str, tuple[str, str]]) -> str:
    """`program` with each text replaced; NotAsExpected unless each is there exactly once."""
    for name, (old, new) in replacements.items():
        found = program.count(old)
        if found != 1:
            raise NotAsExpected(
                f"expected the text for {name} once in the client's shader, found it {found} times"
            )
        program = program.replace(old, new)
    return program

"""What is replaced in the shader with which viser's client draws splats, and by what.

Replaced are the falloff, so that the run's own kernel is drawn, and what else differs from our
rasteriser: shapes in half precision (see `splat_columns`), splats that viser drops (small, faint,
with a centre beyond the border of the canvas, or projected to an exact circle), its cut at 1/100 in
place of 1/255, its alpha above 0.99, a Jacobian without a limit and the width of its quad. Every
text must be there exactly once.
"""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING

from app.viewer.client_build import NotAsExpected
from app.viewer.falloff_glsl import falloff, number
from app.viewer.splat_columns import LOG_RANGE

if TYPE_CHECKING:
    from splatting.kernels import Kernel

_TEXTS = {
    # phones compute in 16 bits where nothing more is asked for
    "precision of positions": """\
precision highp usampler2D; // Most important: ints must be 32-bit.
  precision mediump float;
""",
    "outputs": """\
  out vec2 vPosition;
""",
    "centres that are drawn": """\
    float clip = 1.1 * pos2d.w;
""",
    "halves": """\
    vec2 triu01 = unpackHalf2x16(intBufferData.x);
    vec2 triu23 = unpackHalf2x16(intBufferData.y);
    vec2 triu45 = unpackHalf2x16(intBufferData.z);
""",
    "covariance": """\
    mat3 cov3d = mat3(
        triu01.x, triu01.y, triu23.x,
        triu01.y, triu23.y, triu45.x,
        triu23.x, triu45.x, triu45.y
    );
""",
    "Jacobian": """\
        -(fx * c_cam.x) / (c_cam.z * c_cam.z), -(fy * c_cam.y) / (c_cam.z * c_cam.z), 0.
""",
    "projection": """\
    mat3 cov_proj = A * cov3d * transpose(A);
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
    vPosition = position.xy;
""",
    "inputs": """\
precision mediump float;

  uniform vec2 viewport;

  in vec4 vRgba;
  in vec2 vPosition;
""",
    "falloff": """\
    float A = -dot(vPosition, vPosition);
    if (A < -4.0) discard;
    float B = exp(A) * vRgba.a;
    if (B < 0.01) discard;  // alphaTest.
""",
}
"""As they stand in viser 1.1.1, by what they decide."""

_OUTPUTS = """\
  flat out vec2 vCentre;
  flat out vec4 vAxes;
"""
_UNPACK = """\
    uvec2 words = intBufferData.yz;
    vec3 logSigmas = vec3(intBufferData.x & 0xFFFFu, intBufferData.x >> 16u, words.x & 0xFFFFu);
    vec3 sigmas = exp(logSigmas * ({log_range} / 32767.5) - {log_range});
    uvec3 rest = uvec3(words.x >> 16u, words.y & 0xFFFFu, words.y >> 16u);
    uint largest = rest.x >> 15u | (rest.y >> 15u) << 1u;
    vec3 small = (vec3(rest & 0x7FFFu) / 16383.5 - 1.0) * sqrt(0.5);
    float large = sqrt(1.0 - dot(small, small));
    vec4 wxyz = largest == 0u ? vec4(large, small)
        : largest == 1u ? vec4(small.x, large, small.yz)
        : largest == 2u ? vec4(small.xy, large, small.z) : vec4(small, large);
"""
_SPREAD = """\
    vec3 v = wxyz.yzw;
    mat3 turn = mat3(0.0, v.z, -v.y, -v.z, 0.0, v.x, v.y, -v.x, 0.0);
    mat3 rotation = mat3(1.0) + 2.0 * (wxyz.x * turn + turn * turn);
    mat3 spread = mat3(rotation[0] * sigmas.x, rotation[1] * sigmas.y, rotation[2] * sigmas.z);
"""
"""Rodrigues' formula for a unit quaternion; Sigma is the square of the spread."""
_JACOBIAN = """\
        -fx * clamp(c_cam.x / c_cam.z, -1.3 / projectionMatrixCustom[0][0],
            1.3 / projectionMatrixCustom[0][0]) / c_cam.z,
        -fy * clamp(c_cam.y / c_cam.z, -1.3 / projectionMatrixCustom[1][1],
            1.3 / projectionMatrixCustom[1][1]) / c_cam.z, 0.
"""
_PROJECTION = """\
    mat3 rows = transpose(A * spread);
    float diag1 = dot(rows[0], rows[0]) + 0.3;
    float offDiag = dot(rows[0], rows[1]);
    float diag2 = dot(rows[1], rows[1]) + 0.3;
    vec3 area = cross(rows[0], rows[1]);
    float bare = dot(area, area);
    float determinant = bare + 0.3 * (diag1 + diag2) - 0.09;
"""
"""Lagrange's identity: the determinant without the difference of two large products."""
_AXES = """\
    float lambda2 = determinant / lambda1;
    float lead = 0.5 * (diag1 - diag2);
    vec2 diagonalVector = normalize(lead >= 0.0
        ? vec2(lead + radius + 1e-9, offDiag) : vec2(offDiag, radius - lead));
    vec2 other = vec2(diagonalVector.y, -diagonalVector.x);
    vec2 v1 = min({half_support} * sqrt(lambda1) + 0.5, 16384.0) * diagonalVector;
    vec2 v2 = min({half_support} * sqrt(lambda2) + 0.5, 16384.0) * other;
    vCentre = (0.5 + 0.5 * pos2d.xy / pos2d.w) * viewport;
    vAxes = vec4(diagonalVector / sqrt(lambda1), other / sqrt(lambda2));
"""
"""The quad reaches to twice v1 and v2, a pixel beyond the support: a pixel half outside would be
blended by half. Of two forms of the eigenvector the one that does not cancel. q is found from the
pixel itself, because the corners of a quad are rounded."""
_KEEP_PAINT = """\
    vRgba.a *= sqrt(bare / determinant);
"""
_DRAWN = """\
    if (vRgba.a < 0.5 / 255.0)
      return;
"""
_INPUTS = """\
precision highp float;

  uniform vec2 viewport;

  in vec4 vRgba;
  flat in vec2 vCentre;
  flat in vec4 vAxes;
"""
_FALLOFF = """\
    vec2 away = gl_FragCoord.xy - vCentre;
    vec2 along = vec2(dot(away, vAxes.xy), dot(away, vAxes.zw));
    float q = dot(along, along);
    if (q > {end}) discard;
{falloff}
    float B = min(f * vRgba.a, 0.99);
    if (B < 1.0 / 255.0) discard;
"""


def changes(kernel: Kernel, antialiased: bool = False) -> dict[str, tuple[str, str]]:
    """Old and new text of each change, for splats of one kernel."""
    new = {
        "precision of positions": _TEXTS["precision of positions"].replace("mediump", "highp"),
        "outputs": _OUTPUTS,
        "centres that are drawn": "    float clip = 1e6 * pos2d.w;\n",
        "halves": _UNPACK.format(log_range=number(LOG_RANGE)),
        "covariance": _SPREAD,
        "Jacobian": _JACOBIAN,
        "projection": _PROJECTION,
        "axes": _AXES.format(half_support=number(kernel.support / 2.0)),
        "splats that are drawn": _KEEP_PAINT * antialiased + _DRAWN,
        "inputs": _INPUTS,
        "falloff": _FALLOFF.format(
            end=number(kernel.support**2), falloff=indent(falloff(kernel), "    ")
        ),
    }
    return {name: (old, new[name]) for name, old in _TEXTS.items()}


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

"""The constants of every kernel, as `docs/kernels.md` lists them.

python -m benchmarks.kernel_table
"""

from __future__ import annotations

from benchmarks.machine import print_table
from splatting import kernels


def main() -> None:
    rows = []
    for name in kernels.names():
        kernel = kernels.get(name)
        rows.append(
            [
                name,
                f"{kernel.support:.2f}",
                f"{kernel.psi:.4f}",
                f"{kernel.screen_mass:.4f}",
                f"{kernel.screen_variance:.4f}",
                f"{kernel.fitted.variable}, degree {kernel.fitted.degree}",
                f"{kernel.fitted.max_error:.1e}",
                f"{kernel.fitted.max_slope_error:.1e}",
                f"{kernel.faint:.3f}",
                f"{kernel.pull:.3f}",
                f"{kernel.most_opaque:.4f}",
            ]
        )
    header = ["kernel", "support", "psi", "screen mass", "screen variance", "polynomial", "error"]
    print_table([*header, "slope error", "faint", "pull", "most opaque"], rows)


if __name__ == "__main__":
    main()

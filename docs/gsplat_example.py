"""gsplat's training loop on synthetic data; only the first import names Darb3D."""

import math

import torch

from splatting.gsplat_api import DefaultStrategy, rasterization

torch.manual_seed(0)
N, SIZE, STEPS = 2000, 96, 400
focal = 0.5 * SIZE / math.tan(0.5 * math.pi / 3)
Ks = torch.tensor([[focal, 0, SIZE / 2], [0, focal, SIZE / 2], [0, 0, 1]])[None]
viewmats = torch.eye(4)[None]
viewmats[0, 2, 3] = 4.0

# the picture to fit: a disc and a frame
y, x = torch.meshgrid(torch.linspace(-1, 1, SIZE), torch.linspace(-1, 1, SIZE), indexing="ij")
target = torch.stack([x * 0.5 + 0.5, y * 0.5 + 0.5, 0.3 + 0 * x], dim=-1)
target[x**2 + y**2 < 0.25] = torch.tensor([0.9, 0.6, 0.1])
target[x.abs().maximum(y.abs()) > 0.9] = torch.tensor([0.1, 0.2, 0.6])

params = torch.nn.ParameterDict(
    {
        "means": torch.nn.Parameter(2.6 * torch.rand(N, 3) - 1.3),
        "scales": torch.nn.Parameter(torch.full((N, 3), math.log(0.05))),
        "quats": torch.nn.Parameter(torch.randn(N, 4)),
        "opacities": torch.nn.Parameter(torch.full((N,), -1.0)),
        "colors": torch.nn.Parameter(torch.rand(N, 3)),
    }
)
rates = {"means": 5e-3, "scales": 1e-2, "quats": 1e-2, "opacities": 5e-2, "colors": 2e-2}
optimizers = {name: torch.optim.Adam([params[name]], lr=rate) for name, rate in rates.items()}
strategy = DefaultStrategy(refine_start_iter=50, refine_every=50, refine_stop_iter=250)
strategy.check_sanity(params, optimizers)
state = strategy.initialize_state(scene_scale=1.0)

for step in range(STEPS):
    renders, alphas, info = rasterization(
        params["means"],
        params["quats"],
        torch.exp(params["scales"]),
        torch.sigmoid(params["opacities"]),
        params["colors"],
        viewmats,
        Ks,
        SIZE,
        SIZE,
        packed=False,
    )
    strategy.step_pre_backward(params, optimizers, state, step, info)
    loss = torch.nn.functional.mse_loss(renders[0], target)
    loss.backward()
    for optimizer in optimizers.values():
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    strategy.step_post_backward(params, optimizers, state, step, info)
    if step % 100 == 0 or step == STEPS - 1:
        psnr = -10 * math.log10(loss.item())
        print(f"step {step}, {len(params['means'])} splats: {psnr:.2f} dB")

"""Move of an image when its latents move: measured of a whole flow, couplings included."""

import torch
from torch import Tensor

from zoo.devices import draw_normal
from zoo.exact.model import Model

# Relative change of the latents: far above the rounding of float64, far below what bends a flow.
CHANGE = 1e-8
# Images at a time, and steps of an ascent.
BATCH, STEPS = 50, 20


@torch.no_grad()
def amplification(flow: Model, images: Tensor) -> Tensor:
    """The most grey levels that a pixel moves for each relative change of the latents, (B,).

    Latents z change by max(|z|, 1) times Gaussian noise of a fixed seed. What rounding in float32
    costs an image is about 1.2e-7 of the result, which is found in float64.

    Args:
        flow: In eval mode.
        images: uint8 (B, C, H, W).
    """
    model = flow.at(torch.float64)
    parts = [
        _moved(model, (batch.double() + 0.5) / 256).abs().amax((1, 2, 3))
        for batch in images.split(BATCH)
    ]
    return torch.cat(parts).nan_to_num(torch.inf, torch.inf)


def worst_images(flow: Model, images: Tensor) -> Tensor:
    """Images found by gradient ascent on the logarithm of the amplification, uint8.

    Its steps are along the gradient's sign, the first of 8 grey levels, falling to 0.

    Args:
        flow: In eval mode.
        images: uint8 (B, C, H, W), where the ascent starts.
    """
    model = flow.at(torch.float64)
    x = (images.double() + 0.5) / 256
    for step in range(STEPS):
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            energy = _moved(model, x).square().mean((1, 2, 3)).log().sum()
            (gradient,) = torch.autograd.grad(energy, x)
        length = 8 / 256 * (1 - step / STEPS)
        x = (x + length * gradient.nan_to_num().sign()).clamp(0.5 / 256, 255.5 / 256)
    return (x.detach() * 256).floor().to(torch.uint8)


def _moved(model: Model, x: Tensor) -> Tensor:
    """Change of decoded pixels, in grey levels, for each relative change of their latents."""
    z, _ = model(x)
    noise = draw_normal(z.shape, torch.Generator().manual_seed(0), z)
    change = CHANGE * z.detach().abs().clamp_min(1) * noise
    size = (x.shape[2], x.shape[3])
    return (model.inverse(z + change, size)[0] - model.inverse(z, size)[0]) * (256 / CHANGE)

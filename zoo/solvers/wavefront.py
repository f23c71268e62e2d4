"""Solve all pixels of an anti-diagonal at once: the papers' parallel algorithm."""

import torch
from torch import Tensor
from torch.nn import functional as F


def wavefront(kernel: Tensor, y: Tensor) -> Tensor:
    """Invert the padded convolution in H + W - 1 vectorised steps.

    A pixel depends only on pixels above and left of it, so those with equal h + w are
    independent. Dividing by the last tap first makes all channels of a pixel one step too.

    Source: FInC Flow (Nagar et al., 2023), section 4, without its loop over channels.

    Args:
        kernel: (G, C, C, kh, kw), the last tap lower triangular.
        y: (B, G, C, H, W).

    Returns:
        x of the shape of y.
    """
    groups, _, _, kh, kw = kernel.shape
    height, width = y.shape[-2:]
    last = kernel[..., -1, -1]
    taps = kernel.flatten(3)[..., :-1].flatten(2)  # (G, C, C * (kh * kw - 1))
    taps = torch.linalg.solve_triangular(last, taps, upper=False)
    y = torch.linalg.solve_triangular(last, y.flatten(3), upper=False).view(y.shape)
    x = F.pad(torch.zeros_like(y), (kw - 1, 0, kh - 1, 0))
    for diagonal in range(height + width - 1):
        h = torch.arange(max(0, diagonal - width + 1), min(diagonal + 1, height), device=y.device)
        w = diagonal - h
        rows = h[:, None, None] + torch.arange(kh, device=y.device)[:, None]  # (n, kh, 1)
        columns = w[:, None, None] + torch.arange(kw, device=y.device)  # (n, 1, kw)
        past = x[..., rows, columns].flatten(-2)[..., :-1]  # (B, G, C, n, kh * kw - 1)
        past = past.movedim(3, 4).reshape(len(y), groups, taps.shape[-1], len(h))
        x[..., h + kh - 1, w + kw - 1] = y[..., h, w] - taps @ past
    return x[..., kh - 1 :, kw - 1 :]

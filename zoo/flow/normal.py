"""The distribution of latents."""

import math

from torch import Tensor


def log_normal(z: Tensor) -> Tensor:
    """Log-density in nats of latents (B, D, ...) under N(0, I), summed to (B, ...) float64."""
    return -0.5 * (z.double().square() + math.log(2 * math.pi)).sum(1)

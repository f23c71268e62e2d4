"""From 8-bit images to unbounded reals and back, exactly."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.bijections.base import Bijection
from zoo.devices import device_of
from zoo.errors import ConfigError

# The largest noise that (x + noise), x < 256, holds in float32 without reaching the next integer.
LARGEST_NOISE = 1 - 2**-15


class Dequantize(Bijection):
    """Integers 0 .. levels-1 -> [0, 1): (x + noise) / levels; log_det = -D log(levels).

    Forward draws uniform noise unless noise is given: 0.5 is the centre of each bin. The inverse
    finds the bin, so it gives back the integers (as floats) whatever the noise was.

    Source: Theis et al., A note on the evaluation of generative models, 2016, section 3.1.

    Args:
        levels: Number of grey levels.
    """

    elementwise = True

    def __init__(self, levels: int = 256) -> None:
        super().__init__()
        self.levels = levels

    def forward(
        self,
        x: Tensor,
        noise: Tensor | float | None = None,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Map integers x of any dtype to (y, log_det); y is of `dtype` (default: torch's).

        Noise in [0, 1) is given, or drawn by the generator.
        """
        x = x.to(dtype or (x.dtype if x.is_floating_point() else torch.get_default_dtype()))
        if noise is None:
            device = device_of(generator, x.device)
            noise = torch.rand(x.shape, dtype=x.dtype, device=device, generator=generator)
            noise = noise.to(x.device).clamp_(max=LARGEST_NOISE)
        if isinstance(noise, Tensor):
            noise = noise.to(x.dtype)
        return (x + noise) / self.levels, x.new_full((x.shape[0],), -self._log_volume(x))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x = (y * self.levels).floor().clamp(0, self.levels - 1)
        return x, y.new_full((y.shape[0],), self._log_volume(y))

    def _log_volume(self, x: Tensor) -> float:
        return math.prod(x.shape[1:]) * math.log(self.levels)


class Center(Bijection):
    """y = x - 1/2, for x in [0, 1]; log_det = 0."""

    elementwise = True

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x - 0.5, x.new_zeros(x.shape[0])

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return y + 0.5, y.new_zeros(y.shape[0])


class Logit(Bijection):
    """y = logit(alpha + (1 - 2 alpha) x), for x in [0, 1].

    Source: RealNVP (Dinh et al., 2017), section 4.1; FInC Flow uses alpha = 1e-6.

    Args:
        alpha: Distance kept from 0 and 1; at most 1/4, greater than 0.
    """

    elementwise = True

    def __init__(self, alpha: float = 1e-6) -> None:
        super().__init__()
        if not 0 < alpha <= 0.25:
            raise ConfigError(f"alpha must be in (0, 0.25]; got {alpha}.")
        self.alpha = alpha

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        p = self.alpha + (1 - 2 * self.alpha) * x
        y = p.log() - torch.log1p(-p)
        return y, self._log_det(y)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x = (torch.sigmoid(y) - self.alpha) / (1 - 2 * self.alpha)
        return x, -self._log_det(y)

    def _log_det(self, y: Tensor) -> Tensor:
        # dy/dp = 1 / (p (1 - p)), and -log p - log(1 - p) = softplus(y) + softplus(-y)
        per_pixel = 2 * F.softplus(-y.abs()) + y.abs() + math.log1p(-2 * self.alpha)
        return per_pixel.sum((1, 2, 3))

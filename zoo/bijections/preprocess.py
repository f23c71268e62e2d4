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


def preprocessing(name: str, alpha: float, black_share: float) -> Bijection:
    """The map from [0, 1] to the reals that a configuration names.

    Args:
        name: "center", "logit" or "wide_black".
        alpha: Distance that the logit keeps from 0 and 1.
        black_share: Share of a logistic density that black fills.
    """
    if name == "center":
        return Center()
    return Logit(alpha) if name == "logit" else WideBlack(alpha, black_share)


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
        y = self.value(x)
        return y, self._log_det(y)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.argument(y), -self._log_det(y)

    def value(self, x: Tensor) -> Tensor:
        """The logit alone, without its log_det."""
        p = self.alpha + (1 - 2 * self.alpha) * x
        return p.log() - torch.log1p(-p)

    def argument(self, y: Tensor) -> Tensor:
        """The inverse alone, without its log_det."""
        return (torch.sigmoid(y) - self.alpha) / (1 - 2 * self.alpha)

    def of(self, x: float) -> float:
        """The image of one number."""
        p = self.alpha + (1 - 2 * self.alpha) * x
        return math.log(p) - math.log1p(-p)

    def _log_det(self, y: Tensor) -> Tensor:
        return self.log_slope(y).sum((1, 2, 3))

    def log_slope(self, y: Tensor) -> Tensor:
        """Log of dy/dx at each pixel, from y."""
        # dy/dp = 1 / (p (1 - p)), and -log p - log(1 - p) = softplus(y) + softplus(-y)
        return 2 * F.softplus(-y.abs()) + y.abs() + math.log1p(-2 * self.alpha)


class WideBlack(Bijection):
    """Logit of x in [0, 1], with a longer stretch for black, x < 1 / levels.

    The noise of a black pixel is uniform, and a Gaussian fits a uniform density badly. It costs
    0.25 bits for each black pixel, and 0.31 behind a logit with alpha 1e-3. Here black fills the
    lower part of a logistic density instead. A Gaussian fits 0.95 of it within 0.06 bits. The
    greys keep their logit, and both meet at its value for x = 1 / levels. Pictures of digits and
    of clothes are black for the most part; docs/measurements/black.md has what they gain.

    Source: our own; the logit is that of RealNVP (Dinh et al., 2017), section 4.1.

    Args:
        alpha: Distance kept from 0 and 1; at most 1/4, greater than 0.
        share: Share of the density that black fills, between 0 and 1.
        levels: Number of grey levels.
    """

    elementwise = True

    def __init__(self, alpha: float = 1e-3, share: float = 0.95, levels: int = 256) -> None:
        super().__init__()
        self.logit, self.levels, self.stretch = Logit(alpha), levels, levels * share
        self.lowest_grey = self.logit.of(1 / levels)
        self.gap = self.logit.of(share) - self.lowest_grey

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        black = x < 1 / self.levels
        y = self.logit.value(torch.where(black, x * self.stretch, x))
        return torch.where(black, y - self.gap, y), self._log_det(y, black)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        black = y < self.lowest_grey
        y = torch.where(black, y + self.gap, y)
        x = self.logit.argument(y)
        x = torch.where(black, x / self.stretch, x)
        return x, -self._log_det(y, black)

    def _log_det(self, y: Tensor, black: Tensor) -> Tensor:
        wider = black.to(y.dtype) * math.log(self.stretch)
        return (self.logit.log_slope(y) + wider).sum((1, 2, 3))

"""A normalizing flow of vectors."""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zoo.bijections import Chain
from zoo.devices import device_of
from zoo.errors import ArgumentError, NonFiniteError

if TYPE_CHECKING:
    from zoo.architectures.conf_tabular import ConfTabularConfig


class VectorFlow(nn.Module):
    """Vectors (B, D) -> latents (B, D), standard normal under the model, and back.

    Args:
        config: What the flow was built from.
        chain: Bijections of (B, D) tensors.
    """

    def __init__(self, config: "ConfTabularConfig", chain: Chain) -> None:
        super().__init__()
        self.config, self.chain = config, chain

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map vectors (B, D) to latents (B, D) and log|det dz/dx| (B,) in float64."""
        wanted = self.config.features
        if not x.is_floating_point() or x.dim() != 2 or x.shape[1] != wanted:
            raise ArgumentError(
                f"vectors must be floating-point (B, {wanted}); got {x.dtype} {tuple(x.shape)}."
            )
        return self.chain(x)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Map latents (B, D) to vectors (B, D) and log|det dx/dz| (B,) in float64."""
        return self.chain.inverse(z)

    def log_prob(self, x: Tensor, *, checked: bool = True) -> Tensor:
        """Log-likelihood in nats, (B,) float64; `checked` as for `Flow.log_prob`.

        Raises:
            ArgumentError: For anything but floating-point (B, D).
            NonFiniteError: If a likelihood is NaN or infinite.
        """
        z, log_det = self(x)
        log_prob = log_det - 0.5 * (z.double().square() + math.log(2 * math.pi)).sum(1)
        if checked and not log_prob.detach().isfinite().all():
            raise NonFiniteError(
                "log_prob is not finite: the weights have diverged, or the data are not finite. "
                "Standardise the columns, or load an earlier checkpoint."
            )
        return log_prob

    @torch.no_grad()
    def sample(self, n: int = 1, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw n vectors, (n, D)."""
        weight = next(self.parameters())
        shape = (n, self.config.features)
        device = device_of(generator, weight.device)
        z = torch.randn(shape, generator=generator, dtype=weight.dtype, device=device)
        return self.inverse(z.to(weight.device))[0]

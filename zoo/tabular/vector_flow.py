"""A normalizing flow of vectors: CONF, and RealNVP as its special case."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo.bijections import ActNorm, Bijection, Chain, Conv1x1, VectorCoupling
from zoo.bijections.cache import Watch
from zoo.bijections.conv_coupling import Factors
from zoo.devices import device_of
from zoo.errors import ArgumentError, ConfigError, NonFiniteError
from zoo.flow.normal import log_normal


@dataclass(frozen=True, kw_only=True)
class ConfTabularConfig(Factors):
    """Configuration of CONF of vectors.

    convolution="none" with gate="none" is RealNVP with learned linear maps between couplings.

    Attributes:
        features: Length D of the vectors.
        steps: Number of steps of actnorm, linear map and coupling.
        hidden_features: Width of the coupling nets.
    """

    features: int
    steps: int = 8
    hidden_features: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("features", 2), ("steps", 1), ("hidden_features", 1)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise ConfigError(f"{name} must be an integer of at least {least}; got {value!r}.")


class VectorFlow(nn.Module):
    """Vectors (B, D) -> latents (B, D), standard normal under the model, and back.

    Args:
        config: Configuration that the flow was built from.
        chain: Bijections of (B, D) tensors.
    """

    def __init__(self, config: ConfTabularConfig, chain: Chain) -> None:
        super().__init__()
        self.config, self.chain = config, chain
        self._watch = Watch()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map vectors (B, D) to latents (B, D) and log|det dz/dx| (B,) in float64."""
        wanted = self.config.features
        if not x.is_floating_point() or x.dim() != 2 or x.shape[1] != wanted:
            raise ArgumentError(
                f"vectors must be floating-point (B, {wanted}); got {x.dtype} {tuple(x.shape)}."
            )
        self._watch.check(self)
        return self.chain(x)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Map latents (B, D) to vectors (B, D) and log|det dx/dz| (B,) in float64."""
        self._watch.check(self)
        return self.chain.inverse(z)

    def log_prob(self, x: Tensor, *, checked: bool = True) -> Tensor:
        """Log-likelihood in nats, (B,) float64; `checked` as for `Flow.log_prob`.

        Raises:
            ArgumentError: For anything but floating-point (B, D).
            NonFiniteError: If a likelihood is NaN or infinite.
        """
        z, log_det = self(x)
        log_prob = log_det + log_normal(z)
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


def conf_tabular(config: ConfTabularConfig) -> VectorFlow:
    """Build CONF of vectors (Karami et al., 2019): the steps of `conf`, on one level."""
    layers: list[Bijection] = []
    for _ in range(config.steps):
        coupling = VectorCoupling(config.features, config.hidden_features, config)
        layers += [ActNorm(config.features), Conv1x1(config.features), coupling]
    return VectorFlow(config, Chain([*layers, ActNorm(config.features)]))

"""CONF of vectors, and RealNVP as its special case."""

from dataclasses import dataclass

from zoo.bijections import ActNorm, Bijection, Chain, Conv1x1, VectorCoupling
from zoo.bijections.conv_coupling import Factors
from zoo.errors import ConfigError
from zoo.vector_flow import VectorFlow


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


def conf_tabular(config: ConfTabularConfig) -> VectorFlow:
    """Build CONF of vectors (Karami et al., 2019): the steps of `conf`, on one level."""
    layers: list[Bijection] = []
    for _ in range(config.steps):
        coupling = VectorCoupling(config.features, config.hidden_features, config)
        layers += [ActNorm(config.features), Conv1x1(config.features), coupling]
    return VectorFlow(config, Chain([*layers, ActNorm(config.features)]))

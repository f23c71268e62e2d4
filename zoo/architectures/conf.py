"""CONF, invertible convolutional flow: actnorm, 1 x 1 convolution, convolutional coupling."""

from dataclasses import dataclass
from functools import partial

from zoo.architectures.multiscale import multiscale
from zoo.architectures.presets import compact
from zoo.architectures.registry import Paper, register_architecture
from zoo.bijections import ActNorm, Conv1x1, ConvolutionalCoupling, Split
from zoo.bijections.conv_coupling import Factors
from zoo.config import FlowConfig
from zoo.flow import Flow


@dataclass(frozen=True, kw_only=True)
class ConfConfig(FlowConfig, Factors):
    """Configuration of CONF: a flow's, and the factors of its couplings."""

    def __post_init__(self) -> None:
        Factors.__post_init__(self)
        FlowConfig.__post_init__(self)

    def step_magnitude(self, width: int) -> int:
        if (kernel := self.make_kernel(ndim=2)) is None:
            return super().step_magnitude(width)
        inputs = self.hidden_channels if self.adaptive else 1
        return super().step_magnitude(width) + inputs * kernel.coefficients * width


# The paper's sizes are not known. The kernels' heads take parameters; these widths match the
# compact Glow and FInC.
PRESETS = compact(ConfConfig, widths=(60, 60, 117, 91))
PAPER = Paper(
    "CONF, invertible convolutional flow (Karami et al., 2019)",
    "https://papers.nips.cc/paper/2019/hash/b1f62fa99de9f27a048344d55c5ef7a6-Abstract.html",
    """@inproceedings{conf,
  title={Invertible Convolutional Flow},
  author={Karami, Mahdi and Schuurmans, Dale and Sohl-Dickstein, Jascha and Dinh, Laurent and
          Duckworth, Daniel},
  booktitle={NeurIPS}, year={2019}
}""",
)


@register_architecture("conf", presets=PRESETS, paper=PAPER)
def conf(config: ConfConfig) -> Flow:
    """Build CONF (Karami et al., 2019); the order within a step and the levels are inferred."""

    def step(channels: int) -> tuple[ActNorm, Conv1x1, ConvolutionalCoupling]:
        coupling = ConvolutionalCoupling(
            channels, config.hidden_channels, config, **config.coupling
        )
        return ActNorm(channels), Conv1x1(channels), coupling

    return multiscale(config, step, partial(Split, bounds=config.bounds))

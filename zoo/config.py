"""The part of a configuration that every architecture has."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from zoo.bijections.bounds import Bounds
from zoo.errors import ConfigError

Preprocessing = Literal["center", "logit", "wide_black"]
Config = TypeVar("Config", bound="FlowConfig")

# A configuration may come from anywhere: absurd ones are refused before anything is allocated.
MOST = {"levels": 16, "steps": 1024}
# Fields that some published configurations lack, with the value that their flows have.
LATER = {
    "black_share": 0.95,
    "colour_last": False,
    "shared_net": False,
    "shift_max": None,
    "log_scale_max": 2.0,
    "input_max": None,
    "classes": 0,
}
MOST_WEIGHTS, MOST_PIXELS = 2**31, 2**28
MAGNITUDE_FACTOR = 16
MOST_BOUND = 1e18


@dataclass(frozen=True, kw_only=True)
class FlowConfig:
    """Complete description of a flow, in JSON types only.

    Attributes:
        channels: Image channels.
        size: Training image size (H, W), each divisible by 2^levels.
        levels: Number of levels L; each but the last halves the dimensions.
        steps: Steps of bijections per level, K (Glow, FInC) or D (CInC).
        hidden_channels: Width of the coupling nets.
        net_actnorm: Whether the coupling nets use ActNorm.
        preprocessing: "center" (x - 1/2), "logit", or "wide_black", a logit with more room for
            black, for images that are black for the most part.
        logit_alpha: Distance that the logit keeps from 0 and 1.
        black_share: Share of a logistic density that "wide_black" gives to black.
        colour_last: Whether the channels of the colours stay neighbours in every squeeze, so that
            a flow of grey images can be mapped to one of colours.
        shift_max: Bound of the couplings' shifts; None leaves them free.
        log_scale_max: Bound of the couplings' log-scales.
        input_max: Bound of what the couplings' nets see; None shows them everything.
        classes: Number of classes that the last level has a Gaussian of its own for; 0 for none.
    """

    channels: int
    size: tuple[int, int]
    levels: int
    steps: int
    hidden_channels: int
    net_actnorm: bool
    preprocessing: Preprocessing
    logit_alpha: float = 1e-6
    black_share: float = 0.95
    colour_last: bool = False
    shift_max: float | None = None
    log_scale_max: float = 2.0
    input_max: float | None = None
    classes: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.size, list):  # as JSON has it
            object.__setattr__(self, "size", tuple(self.size))
        self._check_types()
        self._check_ranges()
        self._check_size()

    def _check_types(self) -> None:
        """Raise ConfigError unless all integers are positive, and all switches true or false."""
        for field in dataclasses.fields(self):
            value, least = getattr(self, field.name), 0 if field.name == "classes" else 1
            if field.type is int and (type(value) is not int or value < least):
                raise ConfigError(f"{field.name} must be a positive integer; got {value!r}.")
            if field.type is bool and not isinstance(value, bool):
                raise ConfigError(f"{field.name} must be true or false; got {value!r}.")

    def _check_ranges(self) -> None:
        for name, most in MOST.items():
            if getattr(self, name) > most:
                raise ConfigError(f"{name} must be at most {most}; got {getattr(self, name)}.")
        if not isinstance(self.logit_alpha, float) or not 0 < self.logit_alpha <= 0.25:
            raise ConfigError(f"logit_alpha must be in (0, 0.25]; got {self.logit_alpha!r}.")
        if not isinstance(self.black_share, float) or not 0 < self.black_share < 1:
            raise ConfigError(f"black_share must be between 0 and 1; got {self.black_share!r}.")
        check_bound("log_scale_max", self.log_scale_max)
        for name in ("shift_max", "input_max", "gain_max"):  # not every architecture has the last
            if (bound := getattr(self, name, None)) is not None:
                check_bound(name, bound)
        if self.preprocessing not in get_args(Preprocessing):
            choices = ", ".join(get_args(Preprocessing))
            raise ConfigError(
                f"preprocessing must be one of {choices}; got {self.preprocessing!r}."
            )

    def _check_size(self) -> None:
        if (
            not isinstance(self.size, tuple)
            or len(self.size) != 2
            or any(type(side) is not int or side < 1 or side % 2**self.levels for side in self.size)
        ):
            raise ConfigError(
                f"size must be (H, W) divisible by 2^levels = {2**self.levels}; got {self.size}."
            )
        if self.channels * math.prod(self.size) > MOST_PIXELS or self.magnitude > MOST_WEIGHTS:
            raise ConfigError(
                "this flow would need gigabytes: fewer channels, steps, classes, or pixels."
            )

    @property
    def bounds(self) -> Bounds:
        """Limits of every coupling and split."""
        return Bounds(self.shift_max, self.log_scale_max, self.input_max)

    @property
    def coupling(self) -> dict[str, Any]:
        """Arguments of every coupling of the flow, beside its widths."""
        return {"actnorm": self.net_actnorm, "bounds": self.bounds}

    @property
    def longest_kernel(self) -> int:
        """Side of its largest kernel."""
        return 3

    @property
    def magnitude(self) -> int:
        """The number of its weights but for a MAGNITUDE_FACTOR, without building it."""
        widths = (self.channels * 2 ** (level + 2) for level in range(self.levels))
        prior = 2 * self.classes * self.channels * 2 ** (self.levels + 1)
        return self.steps * sum(map(self.step_magnitude, widths)) + prior

    def step_magnitude(self, width: int) -> int:
        """The same of a step on maps of `width` channels."""
        return (self.hidden_channels + self.longest_kernel * width) ** 2

    @classmethod
    def from_dict(cls: type[Config], values: dict[str, Any]) -> Config:
        """Read a configuration from the values of its JSON, with every field and no other.

        Fields that are only written where they are not at their default may be missing.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        values = {**{name: LATER[name] for name in LATER if name in names}, **values}
        for problem, found in (("unknown", set(values) - names), ("missing", names - set(values))):
            if found:
                raise ConfigError(f"{problem} field in {cls.__name__}: {', '.join(sorted(found))}.")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The configuration in JSON types."""
        values = {**dataclasses.asdict(self), "size": list(self.size)}
        return {k: v for k, v in values.items() if k not in LATER or v != LATER[k]}


def check_bound(name: str, value: object) -> None:
    """Raise ConfigError unless the value is a positive number that float32 and int64 hold."""
    if type(value) not in (int, float) or not 0 < value <= MOST_BOUND:  # type: ignore[operator]
        raise ConfigError(
            f"{name} must be null, or positive and at most {MOST_BOUND:g}; got {value!r}."
        )


@dataclass(frozen=True, kw_only=True)
class PaddedConvConfig(FlowConfig):
    """Configuration of a flow with padded convolutions.

    Attributes:
        kernel_size: k of the invertible convolutions.
        gain_max: Largest gain bound g that their taps may reach; None leaves them free.
        invert: Whether encoding solves and sampling convolves, instead of the other way round.
    """

    kernel_size: int = 3
    gain_max: float | None = None
    invert: bool = False

    @property
    def longest_kernel(self) -> int:
        return max(super().longest_kernel, self.kernel_size)

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of every padded convolution of the flow."""
        return {"kernel_size": self.kernel_size, "gain_max": self.gain_max, "invert": self.invert}

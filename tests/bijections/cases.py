"""The table of bijections under test: a new one is one row, and every test runs on it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zoo.bijections import (
    ActNorm,
    AdditiveCoupling,
    AffineCoupling,
    AsinhGate,
    Bijection,
    Center,
    Chain,
    CircularConv,
    Conv1x1,
    ConvolutionalCoupling,
    EmergingConv2d,
    FInCUnit,
    LeakyReLUGate,
    Logit,
    PaddedConv2d,
    QuadCoupling,
    SLogGate,
    Split,
    Squeeze,
    SymmetricConv,
    VectorCoupling,
    WideBlack,
)
from zoo.bijections.bounds import Bounds
from zoo.bijections.conv_coupling import Factors
from zoo.solvers import CORNERS, METHODS


@dataclass(frozen=True)
class Case:
    """A bijection, the shape that it is tried on, and what its input may be.

    Attributes:
        make: Builds it.
        shape: Shape of one input, (C, H, W) with H different from W, or (C, N), or (D,).
        unit: Whether inputs lie in [0, 1].
    """

    make: Callable[[], Bijection]
    shape: tuple[int, ...]
    unit: bool = False

    def build(
        self, dtype: torch.dtype = torch.float32, batch: int = 2, seed: int = 0
    ) -> tuple[Bijection, Tensor]:
        """The bijection in eval mode with no parameter at its special start, and an input."""
        torch.manual_seed(seed)
        bijection = self.make()
        shake(bijection)
        draw = torch.rand if self.unit else torch.randn
        return bijection.to(dtype).eval(), draw(batch, *self.shape, dtype=dtype)


def shake(module: nn.Module, std: float = 0.1) -> None:
    """Move every parameter off its start, so that no zero hides a term."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=std)


# Every factor of CONF's coupling in each of its states.
FACTORS = {
    "default": Factors(),
    "circular-asinh": Factors(convolution="circular", gate="asinh", separable=False),
    "symmetric-leaky_relu": Factors(convolution="symmetric", gate="leaky_relu"),
    "fixed": Factors(convolution="circular", adaptive=False),
    "taps": Factors(kernel="taps", kernel_length=2),
    "no_convolution": Factors(convolution="none"),
    "no_gate": Factors(gate="none"),
    "no_scale": Factors(scale=False),
    "no_shift": Factors(shift=False),
    "convolution_only": Factors(scale=False, shift=False, gate="none"),
}

# So narrow that inputs, shifts and log-scales of the cases are well inside the bent part.
BOUNDS = Bounds(shift=0.5, log_scale=0.3, inputs=0.8)

CASES: dict[str, Case] = {
    "actnorm": Case(lambda: ActNorm(3), (3, 4, 5)),
    "actnorm-signal": Case(lambda: ActNorm(3), (3, 4)),
    "actnorm-vector": Case(lambda: ActNorm(3), (3,)),
    "additive_coupling": Case(lambda: AdditiveCoupling(5, 8), (5, 3, 4)),
    "additive_coupling-bounded": Case(lambda: AdditiveCoupling(5, 8, bounds=BOUNDS), (5, 3, 4)),
    "affine_coupling": Case(lambda: AffineCoupling(4, 8), (4, 5, 3)),
    "affine_coupling-bounded": Case(lambda: AffineCoupling(4, 8, bounds=BOUNDS), (4, 5, 3)),
    "affine_coupling-actnorm": Case(lambda: AffineCoupling(5, 8, actnorm=True), (5, 3, 4)),
    "asinh_gate": Case(lambda: AsinhGate(3), (3, 4, 5)),
    "asinh_gate-vector": Case(lambda: AsinhGate(4), (4,)),
    "center": Case(Center, (3, 4, 5), unit=True),
    "chain": Case(lambda: Chain([ActNorm(4), Conv1x1(4), Squeeze(), FInCUnit(16)]), (4, 4, 6)),
    **{
        f"circular-1d-{kernel}-{n}": Case(
            lambda kernel=kernel: CircularConv(2, 1, kernel=kernel), (2, n)
        )
        for kernel in ("spectral", "taps")
        for n in (5, 6)
    },
    **{
        f"circular-2d-{kernel}-{separable}": Case(
            lambda kernel=kernel, separable=separable: CircularConv(
                2, kernel=kernel, separable=separable == "separable"
            ),
            (2, 4, 5),
        )
        for kernel in ("spectral", "taps")
        for separable in ("separable", "full")
    },
    "circular-2d-one_row": Case(lambda: CircularConv(2), (2, 1, 4)),
    "circular-as_many_taps": Case(lambda: CircularConv(2, 1, kernel="taps", length=5), (2, 5)),
    "conv1x1": Case(lambda: Conv1x1(5), (5, 4, 3)),
    "conv1x1-one_channel": Case(lambda: Conv1x1(1), (1, 3, 2)),
    "conv1x1-signal": Case(lambda: Conv1x1(3), (3, 4)),
    "conv1x1-vector": Case(lambda: Conv1x1(5), (5,)),
    **{
        f"convolutional_coupling-{name}": Case(
            lambda factors=factors: ConvolutionalCoupling(5, 6, factors), (5, 3, 4)
        )
        for name, factors in FACTORS.items()
    },
    "convolutional_coupling-signal": Case(lambda: ConvolutionalCoupling(5, 6, ndim=1), (5, 4)),
    "convolutional_coupling-bounded": Case(
        lambda: ConvolutionalCoupling(5, 6, bounds=BOUNDS), (5, 3, 4)
    ),
    "convolutional_coupling-actnorm": Case(
        lambda: ConvolutionalCoupling(4, 6, actnorm=True), (4, 5, 3)
    ),
    "emerging_conv": Case(lambda: EmergingConv2d(4), (4, 5, 3)),
    "emerging_conv-5x5": Case(lambda: EmergingConv2d(3, 5), (3, 4, 6)),
    "emerging_conv-inverted": Case(lambda: EmergingConv2d(2, invert=True), (2, 4, 3)),
    "finc_unit": Case(lambda: FInCUnit(8), (8, 5, 4)),
    "finc_unit-2x5": Case(lambda: FInCUnit(4, (2, 5)), (4, 3, 6)),
    "leaky_relu_gate": Case(lambda: LeakyReLUGate(3), (3, 4, 5)),
    "logit": Case(Logit, (3, 4, 5), unit=True),
    "logit-alpha": Case(lambda: Logit(0.05), (1, 4, 5), unit=True),
    "padded_conv-1x1": Case(lambda: PaddedConv2d(4, 1), (4, 3, 5)),
    "padded_conv-unit": Case(lambda: PaddedConv2d(4, diagonal="unit"), (4, 5, 3)),
    "padded_conv-smaller_map": Case(lambda: PaddedConv2d(2, 5), (2, 3, 2)),
    "padded_conv-4x2": Case(lambda: PaddedConv2d(3, (4, 2), "bottom_right"), (3, 6, 5)),
    "padded_conv-bounded": Case(lambda: PaddedConv2d(3, gain_max=0.9), (3, 4, 6)),
    "padded_conv-inverted": Case(lambda: PaddedConv2d(3, invert=True), (3, 4, 6)),
    **{
        f"padded_conv-{method}": Case(
            lambda method=method: PaddedConv2d(3, method=method), (3, 4, 6)
        )
        for method in METHODS
    },
    **{
        f"padded_conv-{corner}": Case(lambda corner=corner: PaddedConv2d(3, 3, corner), (3, 5, 4))
        for corner in CORNERS
    },
    "quad_coupling": Case(lambda: QuadCoupling(8, 6), (8, 3, 4)),
    "quad_coupling-bounded": Case(lambda: QuadCoupling(8, 6, bounds=BOUNDS), (8, 3, 4)),
    "quad_coupling-shared-bounded": Case(
        lambda: QuadCoupling(8, 7, shared=True, bounds=BOUNDS), (8, 3, 4)
    ),
    "quad_coupling-additive": Case(lambda: QuadCoupling(4, 6, affine=False), (4, 4, 3)),
    "quad_coupling-shared": Case(lambda: QuadCoupling(8, 7, shared=True), (8, 3, 4)),
    "quad_coupling-shared-additive": Case(
        lambda: QuadCoupling(4, 6, affine=False, shared=True), (4, 4, 3)
    ),
    "slog_gate": Case(lambda: SLogGate(3), (3, 4, 5)),
    "slog_gate-vector": Case(lambda: SLogGate(4), (4,)),
    "split": Case(lambda: Split(5), (5, 3, 4)),
    "split-bounded": Case(lambda: Split(5, BOUNDS), (5, 3, 4)),
    "squeeze": Case(Squeeze, (3, 4, 6)),
    **{
        f"symmetric-1d-{boundary}-{kernel}-{n}": Case(
            lambda boundary=boundary, kernel=kernel: SymmetricConv(2, 1, boundary, kernel=kernel),
            (2, n),
        )
        for boundary in ("reflect", "symmetric")
        for kernel in ("spectral", "taps")
        for n in (5, 6)
    },
    **{
        f"symmetric-2d-{boundary}-{kernel}-{separable}": Case(
            lambda boundary=boundary, kernel=kernel, separable=separable: SymmetricConv(
                2, 2, boundary, kernel=kernel, separable=separable == "separable"
            ),
            (2, 4, 5),
        )
        for boundary in ("reflect", "symmetric")
        for kernel in ("spectral", "taps")
        for separable in ("separable", "full")
    },
    "symmetric-one_pixel": Case(lambda: SymmetricConv(2), (2, 1, 1)),
    "symmetric-as_many_taps": Case(
        lambda: SymmetricConv(2, 1, "symmetric", kernel="taps", length=5), (2, 5)
    ),
    "reflect-as_many_taps": Case(lambda: SymmetricConv(2, 1, kernel="taps", length=5), (2, 5)),
    **{
        f"vector_coupling-{name}": Case(
            lambda factors=FACTORS[name]: VectorCoupling(7, 6, factors), (7,)
        )
        # The factors that are made otherwise than on maps.
        for name in ("default", "fixed", "taps", "no_convolution")
    },
    "wide_black": Case(WideBlack, (3, 4, 5), unit=True),
    # Of two grey levels, half of the pixels are black.
    "wide_black-half": Case(lambda: WideBlack(0.05, levels=2), (1, 4, 5), unit=True),
}

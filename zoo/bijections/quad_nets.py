"""The three nets of a Quad-coupling, apart from one another or as one."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.bijections.bands import rows_of_band
from zoo.bijections.cache import WeightCache, in_graph
from zoo.bijections.nets import ConvNet, Net, ZeroConv

Stage = Callable[[Tensor], Tensor]
BLOCKS = (1, 2, 3)


class SeparateNets(nn.ModuleList):
    """Net i is a net of its own, of blocks 1 .. i, as in the paper.

    Args:
        block: Channels of a block.
        hidden_channels: Width of each net.
        roles: Outputs of each for a block: 2 for a shift and a log-scale, 1 for a shift.
        actnorm: Use ActNorms.
    """

    def __init__(self, block: int, hidden_channels: int, roles: int, *, actnorm: bool) -> None:
        super().__init__(
            ConvNet(i * block, hidden_channels, roles * block, actnorm=actnorm) for i in BLOCKS
        )
        self.block, self.roles = block, roles

    def forward(self, x: Tensor) -> Tensor:
        """Map blocks 1 .. 3, (B, 3 * block, H, W), to the shifts of 2 .. 4, then log-scales."""
        raws = [net(x[:, : i * self.block]) for i, net in zip(BLOCKS, self, strict=True)]
        return _by_role(raws, self.roles, dim=1)

    def stages(self) -> Iterable[Stage]:
        """For i = 1, 2, 3: what maps blocks 1 .. i to what block i + 1 is changed by."""
        return self


class SharedNet(Net):
    """The three nets as one, whose features are in three groups: half, a quarter and a quarter.

    Group i computes from blocks and features of groups 1 .. i, and so does output i: what a net
    has found out about the blocks that it sees, later ones need not find again. All stages at once
    are one net with block-triangular weights: a flow of them trains in about three quarters of the
    time that one of three separate nets takes, with no more weights
    (docs/measurements/training.md). One after the other, stages keep their features.

    Source: Quad-coupling of CInC Flow (Nagar et al., 2021), section 3.3, with the masks of MADE
    (Germain et al., 2015) over blocks; only weights that count are parameters.

    Args:
        block: Channels of a block.
        hidden_channels: Width of the three groups together, at least 4.
        roles: Outputs for a block: 2 for a shift and a log-scale, 1 for a shift.
    """

    def __init__(self, block: int, hidden_channels: int, roles: int) -> None:
        super().__init__()
        blocks = (block,) * 3
        quarter = hidden_channels // 4
        self.width, self.reach, self.block = hidden_channels, 2, block
        groups = (hidden_channels - 2 * quarter, quarter, quarter)
        self.first = StagedConv(partial(nn.Conv2d, kernel_size=3, padding=1), blocks, groups)
        self.second = StagedConv(partial(nn.Conv2d, kernel_size=1), groups, groups)
        self.last = StagedConv(ZeroConv, groups, (roles * block,) * 3, roles)

    def forward(self, x: Tensor) -> Tensor:
        """Map blocks 1 .. 3, (B, 3 * block, H, W), to the shifts of 2 .. 4, then log-scales."""
        return self.run_in_bands(self._all, x)

    def stages(self) -> Iterable[Stage]:
        """For i = 1, 2, 3: what maps blocks 1 .. i to what block i + 1 is changed by.

        To be called in this order, once each.
        """
        features: tuple[list[Tensor], list[Tensor]] = ([], [])
        return [partial(self._stage, i, features) for i in BLOCKS]

    def _stage(self, i: int, features: tuple[list[Tensor], list[Tensor]], x: Tensor) -> Tensor:
        """Stage i; in bands of large maps it finds the features of those before it again."""
        convolutions = list(
            zip(self.first.stages, self.second.stages, self.last.stages, strict=True)
        )
        if in_graph() or x.shape[2] <= rows_of_band(x, self.width):
            return self.run(partial(_stage, convolutions[i - 1], features), x)

        def all_stages(x: Tensor) -> Tensor:
            found: tuple[list[Tensor], list[Tensor]] = ([], [])
            for j in range(1, i + 1):
                raw = _stage(convolutions[j - 1], found, x[:, : j * self.block])
            return raw

        return self.run_in_bands(all_stages, x)

    def _all(self, x: Tensor) -> Tensor:
        return self.last(self.second(self.first(x).relu_()).relu_())


class StagedConv(nn.Module):
    """A convolution from groups of channels to groups of channels; group i reads groups 1 .. i.

    Args:
        make: Makes the convolution to one group, of odd kernel size and padded to keep the size of
            the maps, for numbers of channels it reads and writes.
        inputs: Channels of each group that is read.
        outputs: Channels of each group that is written.
        roles: Parts of each output group; those of all groups come together in the output.
    """

    def __init__(
        self,
        make: Callable[[int, int], nn.Module],
        inputs: Sequence[int],
        outputs: Sequence[int],
        roles: int = 1,
    ) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            make(sum(inputs[: i + 1]), channels) for i, channels in enumerate(outputs)
        )
        self.channels, self.roles = sum(inputs), roles
        self._dense = WeightCache()

    def forward(self, x: Tensor) -> Tensor:
        """Map all groups (B, sum(inputs), H, W) to all groups, by one dense convolution."""
        kernel, bias = self._dense.get("", self.parameters(), self._assemble)
        return F.conv2d(x, kernel, bias, padding=kernel.shape[-1] // 2)

    def _assemble(self) -> tuple[Tensor, Tensor]:
        weights = [stage.get_parameter("weight") for stage in self.stages]
        biases = [stage.get_parameter("bias") for stage in self.stages]
        dense = [F.pad(w, (0, 0, 0, 0, 0, self.channels - w.shape[1])) for w in weights]
        kernel = _by_role(dense, self.roles, dim=0)
        return kernel.contiguous(memory_format=torch.channels_last), _by_role(biases, self.roles, 0)


def _stage(
    convolutions: tuple[nn.Module, ...], features: tuple[list[Tensor], list[Tensor]], x: Tensor
) -> Tensor:
    """One stage of a SharedNet, given the features of those before it; adds its own."""
    first, second, last = convolutions
    for convolution, kept in zip((first, second), features, strict=True):
        kept.append(convolution(x).relu_())
        x = torch.cat(kept, dim=1)
    return last(x)


def _by_role(parts: Sequence[Tensor], roles: int, dim: int) -> Tensor:
    """Join parts that consist of roles each: the first roles of all parts, then the second."""
    split = zip(*(part.chunk(roles, dim) for part in parts), strict=True)
    return torch.cat([piece for role in split for piece in role], dim)

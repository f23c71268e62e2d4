"""Starting a flow from the weights of another one, of the same or of another number of colours.

One idea: channel i of a grey flow stands for the channels (i, colour) of a flow of k colours. Where
a layer acts on each channel, its numbers are repeated; where it mixes channels, each colour is
mixed like the grey one, apart from the others; where a net reads channels, it reads their mean. A
grey picture then gets in every colour the latents that it had. The other way round repeated numbers
are averaged, and a matrix becomes that of its action on grey pictures.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoo.bijections import ActNorm
from zoo.bijections.conv1x1 import BOUND, Conv1x1
from zoo.bijections.nets import ZeroConv
from zoo.bijections.padded_conv import CornerConv
from zoo.bijections.scale import unbounded
from zoo.bijections.triangular import lower_triangular
from zoo.errors import ConfigError
from zoo.flow import Flow

FREE = {"channels", "size", "colour_last"}


@dataclass
class FineTune:
    """Options of a run that goes on from the weights of --init_from.

    Args:
        freeze: Levels that stay as they are: indices, or ranges like "0-1".
        actnorm: Keep the ActNorms of the levels that are not frozen, or initialise them again from
            the first batch.
        lr_factor: Learning rate of the tensors that were taken or mapped, in units of model.lr.
        channels: Treatment of other numbers of colours: refuse, or map grey and colours.
        grey_levels: The images hold 0 .. grey_levels - 1, to be spread over the flow's 256 levels;
            null if they hold 0 .. 255.
    """

    freeze: list[int | str] = field(default_factory=list)
    actnorm: Literal["keep", "reinit"] = "keep"
    lr_factor: float = 1.0
    channels: Literal["refuse", "map"] = "refuse"
    grey_levels: int | None = None


# Options that act in every step, not only at the start: a run that is resumed needs them again.
LASTING = ("freeze", "lr_factor", "grey_levels")


def lasting(options: FineTune) -> dict[str, Any]:
    """The options that a checkpoint keeps and a resumed run must repeat."""
    return {name: getattr(options, name) for name in LASTING}


def described(options: FineTune) -> str:
    """Describe the effect of the lasting options in one line; empty if they have none."""
    parts = []
    if options.freeze:
        parts.append(f"levels {', '.join(map(str, options.freeze))} stay as they are")
    if options.lr_factor != 1:
        parts.append(f"what was taken learns at {options.lr_factor:g} of model.lr")
    if options.grey_levels is not None:
        parts.append(f"images of {options.grey_levels} grey levels are spread over 256")
    return ", ".join(parts)


# {"taken": [tensor, ...], "adapted": {tensor: how}, "anew": [tensor, ...]}
Report = dict[str, Any]


def transfer(source: Flow, target: Flow, options: FineTune) -> Report:
    """Give the target the weights of the source.

    Returns:
        Names of the tensors that were taken as they are, were adapted (and how), or start anew.

    Raises:
        ConfigError: If the flows differ in more than colours and image size, or a layer cannot be
            mapped.
    """
    colours = _colours(source, target, options)
    report: Report = {"taken": [], "adapted": {}, "anew": []}
    for (name, old), new in zip(source.named_modules(), target.modules(), strict=True):
        before, after = _own_state(old), _own_state(new)
        if {key: x.shape for key, x in before.items()} != {
            key: x.shape for key, x in after.items()
        }:
            before = _map(name, old, new, colours)
            report["adapted"] |= {f"{name}.{key}": colours.how for key in before}
        else:
            report["taken"] += [f"{name}.{key}" for key in before]
        for key, tensor in after.items():
            tensor.copy_(before[key])
    if options.actnorm == "reinit":
        _forget_actnorms(target, frozen_levels(target, options), report)
    return report


def summary(report: Report) -> str:
    """The report in one line."""
    kinds = [f"{len(report['taken'])} tensors taken as they are"]
    kinds += [
        f"{list(report['adapted'].values()).count(how)} {how}"
        for how in dict.fromkeys(report["adapted"].values())
    ]
    if report["anew"]:
        kinds.append(f"{len(report['anew'])} of ActNorms anew from the first batch")
    return ", ".join(kinds)


def frozen_levels(flow: Flow, options: FineTune) -> list[int]:
    """Indices of the levels to freeze.

    Raises:
        ConfigError: If one does not exist.
    """
    levels: list[int] = []
    for entry in options.freeze:
        first, _, last = str(entry).partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            raise ConfigError(f"finetune.freeze takes levels like 0 or 0-1; got {entry!r}.")
        if (end := int(last or first)) >= len(flow.blocks):
            raise ConfigError(
                f"finetune.freeze: there is no level {end}; the last is {len(flow.blocks) - 1}."
            )
        levels += range(int(first), end + 1)
    return levels


def freeze(flow: Flow, options: FineTune) -> None:
    """Exclude the parameters of frozen levels from training."""
    for level in frozen_levels(flow, options):
        flow.blocks[level].requires_grad_(False)


class Colours:
    """From a grey flow to one of k colours, or back; nothing to do for k = 1."""

    def __init__(self, old: int, new: int) -> None:
        self.inflate, self.k = new > old, max(old, new)
        self.how = f"repeated for {new} colours" if self.inflate else f"averaged over {old} colours"

    def each(self, x: Tensor, dim: int = 0) -> Tensor:
        """An axis of channels that are acted on, or written."""
        if self.inflate:
            return x.repeat_interleave(self.k, dim)
        return x.unflatten(dim, (-1, self.k)).mean(dim + 1)

    def read(self, x: Tensor, dim: int) -> Tensor:
        """An axis of channels that are read."""
        if self.inflate:
            return x.repeat_interleave(self.k, dim) / self.k
        return x.unflatten(dim, (-1, self.k)).sum(dim + 1)

    def mix(self, x: Tensor) -> Tensor:
        """Matrices (..., n, n) from channels to channels."""
        if self.inflate:
            return torch.kron(x.contiguous(), torch.eye(self.k, dtype=x.dtype))
        return self.read(self.each(x, x.dim() - 2), x.dim() - 1)


def _colours(source: Flow, target: Flow, options: FineTune) -> Colours:
    old, new = source.config, target.config
    a, b = ({"kind": type(c).__name__, **c.to_dict()} for c in (old, new))
    wrong = [name for name in {**a, **b} if name not in FREE and a.get(name) != b.get(name)]
    if wrong:
        differences = "; ".join(f"{n} is {a.get(n)!r} there, {b.get(n)!r} here" for n in wrong)
        raise ConfigError(
            f"the flow to start from is another flow than the recipe's: {differences}. "
            "Change the recipe's model section."
        )
    if old.channels == new.channels and old.colour_last == new.colour_last:
        return Colours(1, 1)
    if options.channels == "refuse":
        raise ConfigError(
            f"the flow to start from has {old.channels} channels, the recipe's {new.channels}. "
            "--finetune.channels map maps them."
        )
    colourful = new if new.channels > 1 else old
    if 1 not in (old.channels, new.channels) or not colourful.colour_last:
        raise ConfigError(
            "channels are mapped between a flow of 1 channel and one of several with "
            "colour_last: true (in model.overrides), whose channels keep their colours together."
        )
    return Colours(old.channels, new.channels)


def _own_state(module: nn.Module) -> dict[str, Tensor]:
    tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    return {name: tensor.detach() for name, tensor in tensors}


def _map(name: str, layer: nn.Module, new: nn.Module, colours: Colours) -> dict[str, Tensor]:
    for kind, mapped in MAPS.items():
        if isinstance(layer, kind) and colours.k > 1:
            return mapped(layer, new, colours)
    raise ConfigError(
        f"{name} ({type(layer).__name__}) cannot be mapped to another number of channels or size. "
        "Start from a glow, cinc, cinc_quad or finc flow, of the same image size for conf."
    )


def _map_actnorm(layer: ActNorm, _: ActNorm, colours: Colours) -> dict[str, Tensor]:
    state = _own_state(layer)
    return {n: x if n == "initialized" else colours.each(x) for n, x in state.items()}


def _map_conv(layer: nn.Module, new: nn.Module, colours: Colours) -> dict[str, Tensor]:
    """A convolution of a net, whose inputs or outputs are channels, or both."""
    state, shapes = _own_state(layer), {n: x.shape for n, x in _own_state(new).items()}
    mapped = {n: x if len(x) == shapes[n][0] else colours.each(x) for n, x in state.items()}
    if mapped["weight"].shape[1] != shapes["weight"][1]:
        mapped["weight"] = colours.read(mapped["weight"], 1)
    return mapped


def _map_conv1x1(layer: Conv1x1, _: Conv1x1, colours: Colours) -> dict[str, Tensor]:
    permutation, lower, upper = torch.linalg.lu(
        colours.mix(layer.forward_weights(torch.float64)[0])
    )
    rows, columns = torch.tril_indices(len(lower), len(lower), -1)
    diagonal = upper.diagonal()
    log_diagonal = diagonal.abs().log().clamp(-0.99 * BOUND, 0.99 * BOUND)
    return {
        "lower": lower[rows, columns],
        "upper": upper.T[rows, columns],
        "raw_log_diagonal": unbounded(log_diagonal, BOUND),
        "permutation": permutation.argmax(1),
        "sign": diagonal.sign(),
    }


def _map_corner_conv(layer: CornerConv, _: CornerConv, colours: Colours) -> dict[str, Tensor]:
    state = _own_state(layer)
    below = colours.mix(
        lower_triangular(state["lower"], layer.taps.new_zeros(layer.taps.shape[:2]))
    )
    rows, columns = torch.tril_indices(below.shape[-1], below.shape[-1], -1)
    mapped = {name: colours.each(x, x.dim() - 1) for name, x in state.items() if "diagonal" in name}
    if layer.bias is not None:
        mapped["bias"] = colours.each(state["bias"])
    taps = colours.mix(state["taps"].movedim(-1, 1)).movedim(1, -1)
    return {**mapped, "taps": taps, "lower": below[..., rows, columns]}


MAPS: dict[type[nn.Module], Callable[[Any, Any, Colours], dict[str, Tensor]]] = {
    ActNorm: _map_actnorm,
    Conv1x1: _map_conv1x1,
    CornerConv: _map_corner_conv,
    ZeroConv: _map_conv,
    nn.Conv2d: _map_conv,
}


def _forget_actnorms(flow: Flow, frozen: list[int], report: Report) -> None:
    for level, block in enumerate(flow.blocks):
        if level in frozen:
            continue
        for name, layer in block.named_modules(prefix=f"blocks.{level}"):
            if isinstance(layer, ActNorm):
                layer.initialized.fill_(False)
                for key in ("bias", "raw_log_scale"):
                    report["taken"] = [x for x in report["taken"] if x != f"{name}.{key}"]
                    report["adapted"].pop(f"{name}.{key}", None)
                    report["anew"].append(f"{name}.{key}")

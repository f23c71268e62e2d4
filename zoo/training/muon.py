"""Muon: the hidden layers of the nets move equally far in every direction.

A gradient of a hidden layer has a few large singular values, so Adam moves its weights along a few
directions. Muon sets all singular values of the step near 1.

Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

MOMENTUM = 0.95
# Learning rate of the hidden layers, in units of that of all other parameters.
FASTER = 10.0
# Share of a hidden weight that a step takes away, in units of its learning rate. Without it weights
# grow threefold, and the inverses lose digits.
DECAY = 0.1
# Coefficients of one step of the iteration, and the number of steps, as the source has them.
COEFFICIENTS, STEPS = (3.4445, -4.7750, 2.0315), 5
# Directions below this norm are of layers that nothing reaches: they fade, and are not made long.
SMALLEST = 1e-7
# Layers whose weights are hidden. Invertible layers and layers that start at zero have their own
# types.
PLAIN = (nn.Linear, nn.Conv1d, nn.Conv2d)

Group = dict[str, Any]


def hidden_apart(groups: Iterable[Group], module: nn.Module) -> Iterator[Group]:
    """Groups of parameters with the weights of the module's hidden layers in groups of their own.

    Args:
        groups: Each has "params" and "lr".
        module: All parameters are of it.
    """
    hidden = {id(part.weight) for part in module.modules() if type(part) in PLAIN}
    for group in groups:
        apart = [p for p in group["params"] if id(p) in hidden]
        others = [p for p in group["params"] if id(p) not in hidden]
        if others:
            yield {**group, "params": others, "hidden": False}
        if apart:
            yield {**group, "params": apart, "lr": FASTER * group["lr"], "hidden": True}


class Muon(Adam):
    """Muon for the groups of parameters that are "hidden", Adam for all others.

    Args:
        groups: As `hidden_apart` gives them.
        lr: Learning rate of groups that have none.
    """

    def __init__(self, groups: Iterable[Group], lr: float) -> None:
        super().__init__(groups, lr=lr, fused=True)

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # type: ignore[override]
        """Change the weights; the closure, which computes their gradients, is called first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        groups = self.param_groups
        self.param_groups = _of_adam(groups)
        super().step()
        self.param_groups = groups
        for group in groups:
            if group.get("hidden"):
                self._turn(group)
        return loss

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state of a checkpoint; Adam adapts old states of its own."""
        super().__setstate__({**state, "param_groups": _of_adam(state["param_groups"])})
        self.param_groups = state["param_groups"]

    @torch.no_grad()
    def _turn(self, group: Group) -> None:
        for weights in _of_one_shape(group["params"]):
            steps = orthogonal(self._directions(weights))
            torch._foreach_mul_(weights, 1 - DECAY * group["lr"])
            torch._foreach_add_(weights, list(steps.unbind()), alpha=-group["lr"])

    def _directions(self, weights: list[Tensor]) -> Tensor:
        """Nesterov's momentum of weights of one shape, (N, *shape)."""
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        for weight in weights:
            if "momentum" not in self.state[weight]:
                self.state[weight]["momentum"] = torch.zeros_like(weight)
        momenta = [self.state[weight]["momentum"] for weight in weights]
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
        return torch.stack(gradients).lerp(torch.stack(momenta), MOMENTUM)


def _of_adam(groups: list[Group]) -> list[Group]:
    return [group for group in groups if not group.get("hidden")]


def _of_one_shape(parameters: list[Tensor]) -> Iterator[list[Tensor]]:
    """Parameters that have gradients, in lists of one shape each."""
    shapes: dict[torch.Size, list[Tensor]] = defaultdict(list)
    for parameter in parameters:
        if parameter.grad is not None:
            shapes[parameter.shape].append(parameter)
    yield from shapes.values()


def orthogonal(directions: Tensor) -> Tensor:
    """Matrices with the same singular vectors, whose singular values are near 1; in bfloat16.

    Args:
        directions: Weights (N, out, ...) of N layers; all but `out` make the columns.

    Returns:
        (N, out, ...). Most singular values are between 0.7 and 1.2; times sqrt(rows / columns)
        where a matrix has more rows than columns.
    """
    wide = directions.flatten(2)
    rows, columns = wide.shape[1:]
    if rows > columns:
        wide = wide.mT
    x = (wide / wide.norm(dim=(1, 2), keepdim=True).clamp_min(SMALLEST)).bfloat16()
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    if rows > columns:
        x = x.mT
    return (x.to(directions) * max(1, rows / columns) ** 0.5).reshape(directions.shape)

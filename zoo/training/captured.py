"""Forward and backward of a training step as two CUDA graphs: two launches for thousands."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from zoo.flow import Flow
from zoo.flow.class_prior import Each

BitsPerDim = Callable[[Tensor, Tensor], Tensor]


class _Likelihood(nn.Module):
    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, images: Tensor, noise: Tensor) -> Tensor:
        each: Each | None = "each" if self.flow.config.classes else None
        return self.flow.bits_per_dim(images, noise=noise, label=each, checked=False)


def captured(flow: Flow, images: Tensor) -> BitsPerDim:
    """Record graphs that map images and noise to bits/dim, as `flow.bits_per_dim` but unchecked.

    Those of a flow with classes are of each class.

    Gradients of all calls are in the same memory, so the optimiser takes a step after each.

    Args:
        flow: In training, its ActNorms set.
        images: On a GPU; all later ones are of their shape.
    """
    examples = images.clone(), torch.rand(images.shape, device=images.device)
    graphed = cast(nn.Module, torch.cuda.make_graphed_callables(_Likelihood(flow), examples))
    # A method, not a module: the flow would be part of the trained model twice.
    return graphed.__call__

"""Forward and backward of a training step as two CUDA graphs: two launches for thousands."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from zoo.flow import Flow

BitsPerDim = Callable[..., Tensor]


class _Likelihood(nn.Module):
    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, images: Tensor, noise: Tensor, label: Tensor | None = None) -> Tensor:
        return self.flow.bits_per_dim(images, noise=noise, label=label, checked=False)


def captured(flow: Flow, images: Tensor, label: Tensor | None = None) -> BitsPerDim:
    """Record graphs that map images, noise and labels, if there are some, to bits/dim.

    They do what `flow.bits_per_dim` does, but unchecked.

    Gradients of all calls are in the same memory, so the optimiser takes a step after each.

    Args:
        flow: In training, its ActNorms set.
        images: On a GPU; all later ones are of their shape.
        label: Class of each image, for a flow with classes.
    """
    of_class = () if label is None else (label.clone(),)
    examples = (images.clone(), torch.rand(images.shape, device=images.device), *of_class)
    graphed = cast(nn.Module, torch.cuda.make_graphed_callables(_Likelihood(flow), examples))
    # A method, not a module: the flow would be part of the trained model twice.
    return graphed.__call__

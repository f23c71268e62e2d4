"""The moving average of a model's weights."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class Average(AveragedModel):
    """Averaged weights, found in a few kernels and without a question to the device.

    Args:
        model: Whose weights are averaged.
        device: Where the averages are.
        decay: As for `EMA`.
    """

    def __init__(self, model: nn.Module, device: torch.device, decay: float) -> None:
        super().__init__(model, device=device)
        self.n_averaged = self.n_averaged.cpu()
        self.decay = decay

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        steps = int(self.n_averaged)
        kept = min(self.decay, (1 + steps) / (10 + steps)) if steps else 0.0
        for averages, weights in _by_dtype(self.module.parameters(), model.parameters()):
            # The model may have come to another type or device since.
            same = [weight.to(average) for average, weight in zip(averages, weights, strict=True)]
            torch._foreach_lerp_(averages, same, 1 - kept)
        for copies, buffers in _by_dtype(self.module.buffers(), model.buffers()):
            torch._foreach_copy_(copies, buffers)
        self.n_averaged += 1


def _by_dtype(*tensors: Iterable[Tensor]) -> Iterator[list[list[Tensor]]]:
    """Lists of tensors in parts of one type each, for which torch has fast kernels."""
    parts: dict[torch.dtype, list[tuple[Tensor, ...]]] = {}
    for pair in zip(*tensors, strict=True):
        parts.setdefault(pair[0].dtype, []).append(pair)
    for part in parts.values():
        yield [list(column) for column in zip(*part, strict=True)]

"""Whether all numbers of a step are finite: asked once, before the weights change."""

from typing import Protocol

import torch
from torch import Tensor


class LogProb(Protocol):
    """Computes likelihoods (B,); `checked` as for `Flow.log_prob`."""

    def __call__(self, *, checked: bool) -> Tensor: ...


class Losses:
    """The likelihoods of a step, of one batch or of several that share it."""

    def __init__(self) -> None:
        self._watched: list[tuple[Tensor, LogProb]] = []

    def watch(self, log_prob: LogProb) -> Tensor:
        """Call `log_prob` unchecked; `close` checks the result."""
        values = log_prob(checked=False)
        self._watched.append((values.detach().isfinite().all(), log_prob))
        return values

    def close(self, norm: Tensor) -> tuple[bool, LogProb | None]:
        """Whether all likelihoods and the norm are finite, and what gave one that is not."""
        watched, self._watched = self._watched, []
        flags = [fine for fine, _ in watched]
        answers = torch.stack([*flags, norm.isfinite()]).cpu().tolist()
        failed = (log_prob for fine, (_, log_prob) in zip(answers, watched) if not fine)  # noqa: B905
        return all(answers), next(failed, None)

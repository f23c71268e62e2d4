"""The peer that training is compared with: normflows' Glow, built as its documentation does."""

import math

import normflows as nf
import torch
from torch import Tensor, nn

from zoo.config import FlowConfig


class NormflowsGlow(nn.Module):
    """Glow of Stimper et al., normflows (2023), with the sizes of one of our flows.

    Args:
        config: Its sizes and preprocessing; a logit stands for `wide_black`.
    """

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        height, width = config.size
        bases, merges, levels = [], [], []
        for i in range(config.levels):  # coarsest first
            channels = config.channels * 2 ** (config.levels + 1 - i)
            blocks = [
                nf.flows.GlowBlock(channels, config.hidden_channels, split_mode="channel")
                for _ in range(config.steps)
            ]
            levels.append([*blocks, nf.flows.Squeeze()])
            shrunk = 2 ** (config.levels - i)
            shape = (channels if i == 0 else channels // 2, height // shrunk, width // shrunk)
            bases.append(nf.distributions.GlowBase(shape))
        merges = [nf.flows.Merge() for _ in range(config.levels - 1)]
        logit = config.preprocessing != "center"
        transform = nf.transforms.Logit(config.logit_alpha) if logit else None
        self.flow = nf.MultiscaleFlow(bases, levels, merges, transform=transform)
        self.shift = 0.0 if logit else 0.5

    def bits_per_dim(self, images: Tensor) -> Tensor:
        """Bits/dim of uint8 images (B, C, H, W) with one dequantization draw, (B,)."""
        x = (images + torch.rand(images.shape, device=images.device)) / 256 - self.shift
        log_prob = self.flow.log_prob(x, None)
        return 8 - log_prob / (math.prod(images.shape[1:]) * math.log(2))

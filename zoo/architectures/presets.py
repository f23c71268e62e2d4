"""Sizes that several architectures share."""

from typing import Any

MNIST: dict[str, Any] = {"channels": 1, "size": (28, 28), "levels": 2}
CIFAR10: dict[str, Any] = {"channels": 3, "size": (32, 32), "levels": 3}
IMAGENET32: dict[str, Any] = CIFAR10
IMAGENET64: dict[str, Any] = {"channels": 3, "size": (64, 64), "levels": 4}

# Trainable on two CPU cores. alpha = 1e-3 is a quarter of a grey level: the noise of black pixels
# then spreads over 1.6 units of the logit, not over an exponential tail that the flow must undo.
COMPACT: dict[str, Any] = {"steps": 8, "net_actnorm": False}
COMPACT_MNIST: dict[str, Any] = {
    **MNIST,
    **COMPACT,
    "hidden_channels": 64,
    "preprocessing": "logit",
    "logit_alpha": 1e-3,
}
COMPACT_CIFAR10: dict[str, Any] = {
    **CIFAR10,
    **COMPACT,
    "hidden_channels": 128,
    "preprocessing": "center",
}

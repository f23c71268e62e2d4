"""Sizes that several architectures share."""

from typing import Any

MNIST: dict[str, Any] = {"channels": 1, "size": (28, 28), "levels": 2}
CIFAR10: dict[str, Any] = {"channels": 3, "size": (32, 32), "levels": 3}
IMAGENET32: dict[str, Any] = CIFAR10
IMAGENET64: dict[str, Any] = {"channels": 3, "size": (64, 64), "levels": 4}

# Trainable on two CPU cores. The logit's alpha is a quarter of a grey level: black then spreads
# over one unit of the logit instead of an exponential tail, which a flow would have to undo.
COMPACT: dict[str, Any] = {
    "steps": 8,
    "net_actnorm": False,
    "preprocessing": "logit",
}
COMPACT_MNIST: dict[str, Any] = {**MNIST, **COMPACT, "hidden_channels": 64}
COMPACT_CIFAR10: dict[str, Any] = {**CIFAR10, **COMPACT, "hidden_channels": 128, "preprocessing": "center"}

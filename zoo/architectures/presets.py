"""Sizes that the architectures share."""

from collections.abc import Callable
from typing import Any

from zoo.config import Config

MNIST: dict[str, Any] = {"channels": 1, "size": (28, 28), "levels": 2}
CIFAR10: dict[str, Any] = {"channels": 3, "size": (32, 32), "levels": 3}
IMAGENET64: dict[str, Any] = {"channels": 3, "size": (64, 64), "levels": 4}
GALAXY: dict[str, Any] = {"channels": 3, "size": (32, 32), "levels": 2}

# Trainable on two CPU cores. alpha = 1e-3 is a quarter of a grey level: the noise of black pixels
# then spreads over 1.6 units of the logit, not over an exponential tail that the flow must undo.
# Hostile images need hardly more than float32 so, for 0.007 bits/dim at most (docs/stability.md).
BOUNDED: dict[str, Any] = {"shift_max": 8.0, "log_scale_max": 1.0, "input_max": 5.0}
COMPACT: dict[str, Any] = {"steps": 8, "net_actnorm": False, **BOUNDED}
COMPACT_GREY: dict[str, Any] = {**MNIST, **COMPACT, "preprocessing": "logit", "logit_alpha": 1e-3}
# Four fifths of the pixels of digits are black, and half of those of clothes.
COMPACT_MNIST: dict[str, Any] = {**COMPACT_GREY, "preprocessing": "wide_black", "black_share": 0.99}
COMPACT_FASHION_MNIST: dict[str, Any] = {**COMPACT_GREY, "preprocessing": "wide_black"}
COMPACT_CIFAR10: dict[str, Any] = {**CIFAR10, **COMPACT, "preprocessing": "center"}
# For crops of photographs; the flow then takes photographs of any size.
COMPACT_PHOTOS: dict[str, Any] = {**COMPACT_CIFAR10, "size": (64, 64)}


# For flows with padded convolutions: their inverse is stable at every size of image.
STABLE: dict[str, Any] = {"gain_max": 0.95}
# The papers' form of couplings: neither shifts nor inputs are bounded.
FREE: dict[str, Any] = {"shift_max": None, "log_scale_max": 2.0, "input_max": None}
# Equal in all sizes of Glow's paper, and in the papers of CInC Flow and emerging convolutions.
GLOW: dict[str, Any] = {"hidden_channels": 512, "net_actnorm": True, "preprocessing": "center"}


def standard(
    config: type[Config],
    stable: dict[str, Any] | None = None,
    paper: dict[str, Any] = GLOW,
    *,
    mnist: int = 64,
    photos: int = 92,
) -> dict[str, Config]:
    """The named configurations of an architecture whose paper has Glow's sizes.

    Args:
        config: Its configuration class.
        stable: Fields that keep its inverse stable, of its compact configurations.
        paper: Fields that all of its paper's configurations share.
        mnist: Width of the coupling nets in the size of MNIST.
        photos: Width of the coupling nets in the size of photographs.
    """
    return {
        "paper_cifar10": config(**CIFAR10, **paper, steps=32),
        "paper_imagenet32": config(**CIFAR10, **paper, steps=48),
        "paper_imagenet64": config(**IMAGENET64, **paper, steps=48),
        # The papers do not say which sizes they take for faces: those of the other 64 x 64 images.
        "paper_celeba64": config(**IMAGENET64, **paper, steps=48),
        "paper_galaxy": config(**GALAXY, **paper, steps=8),
        **compact(config, (mnist, 64, 128, photos), stable),
    }


def compact(
    config: Callable[..., Config],
    widths: tuple[int, int, int, int] = (64, 64, 128, 92),
    stable: dict[str, Any] | None = None,
) -> dict[str, Config]:
    """The named configurations of an architecture that train on a laptop.

    Args:
        config: Makes a configuration.
        widths: Width of the coupling nets for MNIST, Fashion-MNIST, CIFAR-10 and photographs;
            `compact_mnist_free` has the second one.
        stable: Fields that keep its inverse stable; `compact_mnist_free` has none of them.
    """
    mnist, fashion, cifar10, photos = widths
    bounds = stable or {}
    return {
        "compact_mnist": config(**COMPACT_MNIST, **bounds, hidden_channels=mnist),
        "compact_mnist_free": config(**{**COMPACT_GREY, **FREE}, hidden_channels=fashion),
        "compact_fashion_mnist": config(**COMPACT_FASHION_MNIST, **bounds, hidden_channels=fashion),
        "compact_cifar10": config(**COMPACT_CIFAR10, **bounds, hidden_channels=cifar10),
        "compact_photos": config(**COMPACT_PHOTOS, **bounds, hidden_channels=photos),
    }

"""The likelihood of a label, beside that of the image."""

import math

from torch import Tensor

from zoo.flow.class_prior import of_label


def label_bits(bits_per_dim: Tensor, label: Tensor, dimensions: int) -> Tensor:
    """-log2 p(label | image), (B,), by Bayes' rule from bits/dim (B, K) of each class."""
    nats = -bits_per_dim * dimensions * math.log(2)
    return -of_label(nats.log_softmax(1), label) / math.log(2)

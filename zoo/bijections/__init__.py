"""Invertible layers, one idea per file."""

from zoo.bijections.actnorm import ActNorm
from zoo.bijections.base import Bijection, Chain
from zoo.bijections.conv1x1 import Conv1x1
from zoo.bijections.coupling import AdditiveCoupling, AffineCoupling, Split
from zoo.bijections.padded_conv import FInCUnit, PaddedConv2d
from zoo.bijections.preprocess import Center, Dequantize, Logit
from zoo.bijections.quad import QuadCoupling
from zoo.bijections.squeeze import Squeeze

__all__ = [
    "ActNorm",
    "AdditiveCoupling",
    "AffineCoupling",
    "Bijection",
    "Center",
    "Chain",
    "Conv1x1",
    "Dequantize",
    "FInCUnit",
    "Logit",
    "PaddedConv2d",
    "QuadCoupling",
    "Split",
    "Squeeze",
]

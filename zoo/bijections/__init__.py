"""Invertible layers, one idea per file."""

from zoo.bijections.actnorm import ActNorm
from zoo.bijections.base import Bijection
from zoo.bijections.chain import Chain
from zoo.bijections.circular import CircularConv
from zoo.bijections.conv1x1 import Conv1x1
from zoo.bijections.conv_coupling import ConvolutionalCoupling, VectorCoupling
from zoo.bijections.coupling import AdditiveCoupling, AffineCoupling, Split
from zoo.bijections.emerging_conv import EmergingConv2d
from zoo.bijections.gates import AsinhGate, LeakyReLUGate, SLogGate
from zoo.bijections.padded_conv import FInCUnit, PaddedConv2d
from zoo.bijections.preprocess import Center, Dequantize, Logit, WideBlack
from zoo.bijections.quad import QuadCoupling
from zoo.bijections.squeeze import Squeeze
from zoo.bijections.symmetric import SymmetricConv

__all__ = [
    "ActNorm",
    "AdditiveCoupling",
    "AffineCoupling",
    "AsinhGate",
    "Bijection",
    "Center",
    "Chain",
    "CircularConv",
    "Conv1x1",
    "ConvolutionalCoupling",
    "Dequantize",
    "EmergingConv2d",
    "FInCUnit",
    "LeakyReLUGate",
    "Logit",
    "PaddedConv2d",
    "QuadCoupling",
    "SLogGate",
    "Split",
    "Squeeze",
    "SymmetricConv",
    "VectorCoupling",
    "WideBlack",
]

"""Latents on disk: a file of some images', and the shards of a whole data set.

import zoo.latents

data = zoo.latents.load("DIR")  # of flowzoo encode-dataset, a torch Dataset
z = data[0]  # (D,)
image = data.decode(0)  # uint8 (C, H, W), the original bit for bit
"""

from zoo.latents.dataset import LatentSet, load
from zoo.latents.file import LatentFile

__all__ = ["LatentFile", "LatentSet", "load"]

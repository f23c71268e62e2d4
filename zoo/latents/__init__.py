"""Latents on disk: a file of some images', and the shards of a whole data set; directions in them.

import zoo.latents

data = zoo.latents.load("DIR")  # of flowzoo encode-dataset, a torch Dataset
z = data[0]  # (D,)
image = data.decode(0)  # uint8 (C, H, W), the original bit for bit
"""

from zoo.latents.dataset import LatentSet, load
from zoo.latents.direction_file import Direction, Directions
from zoo.latents.file import LatentFile
from zoo.latents.find_directions import directions

__all__ = ["Direction", "Directions", "LatentFile", "LatentSet", "directions", "load"]

"""Images that no data set holds: those that users try first, and those that strain couplings."""

from collections.abc import Iterator

import torch
from torch import Tensor

PERIODS = (1, 2, 4)
# Black and white in both orders, a soft pair, and one grey level apart.
CONTRASTS = ((0, 255), (255, 0), (64, 192), (127, 128))
GREYS = (0, 1, 64, 128, 192, 254, 255)
DENSITIES = (0.01, 0.1, 0.5, 0.9, 0.99)
NOISE = 8
NATURAL = 8


def hard_images(
    channels: int, size: tuple[int, int], natural: Tensor | None = None, *, seed: int = 0
) -> Tensor:
    """Images unlike any training set, uint8 (N, C, H, W): all of `hard_kinds`.

    Args:
        channels: C.
        size: (H, W).
        natural: Images of a data set, uint8 (M, C, H, W); adds some of them with their pixels
            shuffled, and some negated.
        seed: Seed of the noise and of the shuffles.
    """
    return torch.cat(list(hard_kinds(channels, size, natural, seed=seed).values()))


def hard_kinds(
    channels: int, size: tuple[int, int], natural: Tensor | None = None, *, seed: int = 0
) -> dict[str, Tensor]:
    """The images of `hard_images` by their kind, on the CPU."""
    with torch.device("cpu"):
        generator = torch.Generator().manual_seed(seed)
        maps = {
            "flat": [torch.full(size, grey) for grey in GREYS],
            "dots": list(_dots(*size)),
            "checkerboards": list(_contrasted(_checkerboards(*size))),
            "stripes": list(_contrasted(_stripes(*size))),
            "ramps": list(_ramps(*size)),
        }
        grey = {
            kind: torch.stack(images)[:, None].expand(-1, channels, -1, -1)
            for kind, images in maps.items()
        }
        shape = (channels, *size)
        kinds = {
            **grey,
            "noise": torch.randint(0, 256, (NOISE, *shape), generator=generator),
            "two values": torch.stack(
                [255 * (torch.rand(shape, generator=generator) < density) for density in DENSITIES]
            ),
            **({"colours": _colours(channels, size)} if channels > 1 else {}),
            **(_from_natural(natural[:NATURAL].cpu(), generator) if natural is not None else {}),
        }
        return {kind: images.to(torch.uint8).contiguous() for kind, images in kinds.items()}


def _dots(height: int, width: int) -> Iterator[Tensor]:
    """One pixel unlike all others, in each corner, in the middle and off it, of both polarities."""
    places = [(row, column) for row in (0, height - 1) for column in (0, width - 1)]
    for row, column in [*places, (height // 2, width // 2), (height // 2, width // 3)]:
        dot = torch.zeros(height, width)
        dot[row, column] = 255
        yield from (dot, 255 - dot)


def _checkerboards(height: int, width: int) -> Iterator[Tensor]:
    for period in PERIODS:
        yield (torch.arange(height)[:, None] // period + torch.arange(width) // period) % 2


def _stripes(height: int, width: int) -> Iterator[Tensor]:
    for period in PERIODS:
        yield (torch.arange(height)[:, None] // period % 2).expand(height, width)
        yield (torch.arange(width) // period % 2).expand(height, width)


def _contrasted(masks: Iterator[Tensor]) -> Iterator[Tensor]:
    """Each mask of 0 and 1 in every contrast."""
    for mask in masks:
        for low, high in CONTRASTS:
            yield low + mask * (high - low)


def _ramps(height: int, width: int) -> Iterator[Tensor]:
    """From black to white and back: down, across, and along the diagonal."""
    down = torch.linspace(0, 255, height)[:, None].expand(height, width)
    across = torch.linspace(0, 255, width).expand(height, width)
    for ramp in (down, across, (down + across) / 2):
        yield from (ramp, 255 - ramp)


def _colours(channels: int, size: tuple[int, int]) -> Tensor:
    """One channel saturated and the others black, or the other way round; (2C, C, H, W)."""
    one = 255 * torch.eye(channels)
    return torch.cat([one, 255 - one])[..., None, None].expand(-1, -1, *size)


def _from_natural(natural: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    order = torch.randperm(natural.shape[2] * natural.shape[3], generator=generator)
    shuffled = natural.flatten(2)[..., order].view_as(natural)
    return {"shuffled": shuffled, "negated": 255 - natural}


def mosaics(images: Tensor) -> Tensor:
    """Images of twice the height and width, each of four neighbours in (B, C, H, W)."""
    following = [images.roll(-shift, dims=0) for shift in range(4)]
    rows = [torch.cat(following[i : i + 2], dim=3) for i in (0, 2)]
    return torch.cat(rows, dim=2)

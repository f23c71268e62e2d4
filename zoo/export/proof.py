"""Round trips between torch and another runtime, before a file is written."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from zoo.errors import NotInvertibleError
from zoo.exact.certificate import MARGIN
from zoo.exact.round_trip import round_trip_error
from zoo.export.programs import Shapes, What
from zoo.flow import Flow

BATCH = 64

Run = Callable[[Sequence[Tensor]], list[Tensor]]


@dataclass(frozen=True)
class Proof:
    """Errors of images on their way through the programs and back.

    Attributes:
        errors: The most that a decoded pixel is off its bin's centre on any way through the
            exported programs, in grey levels, (N,).
        own: The same of torch's own float32, (N,); 0 in batches that came back whole.
        problems: Messages of runtimes on images that they could not compute.
    """

    errors: Tensor
    own: Tensor
    problems: list[str]

    def facts(self) -> dict[str, str]:
        """For the metadata of the files: number of images, share that came back, worst error."""
        share = float((self.errors <= MARGIN).double().mean())
        worst = float(self.errors.max())
        return {
            "images": str(len(self.errors)),
            "exact": f"{share:.6f}",
            "worst_error": f"{worst:.3g}",
        }

    def check(self) -> None:
        """Raise unless every image came back within the margin.

        Raises:
            NotInvertibleError: With their number, and why.
        """
        lost = self.errors > MARGIN
        if not lost.any():
            return
        count, also = int(lost.sum()), int((lost & (self.own > MARGIN)).sum())
        reasons = [
            f"for {also} of them float32 is not enough in torch either, where flow.encode takes "
            "float64 and exported files cannot"
        ] * (also > 0) + [f"{count - also} come back in torch only"] * (count > also)
        reasons += [f"the runtime said: {problem}" for problem in self.problems[:1]]
        raise NotInvertibleError(
            f"{count} of {len(lost)} images do not come back within {MARGIN:g} grey levels, the "
            f"worst is {float(self.errors.max()):.3g} off: {', and '.join(reasons)}. To export it "
            "all the same, with the share of exact images in its metadata, pass --allow-inexact "
            "(allow_inexact=True)."
        )


@torch.no_grad()
def prove(flow: Flow, runs: Mapping[What, Run], shapes: Shapes, images: Iterable[Tensor]) -> Proof:
    """Send images from torch through the programs and back.

    Args:
        flow: Flow that was exported, in float32 on the CPU.
        runs: Its programs in their runtime.
        shapes: Shapes that they take.
        images: Sets of uint8 (N, C, H, W), each of one size.
    """
    batches = [batch for some in images for batch in some.split(shapes.batch or BATCH)]
    through = partial(_through, flow, runs, dynamic=shapes.dynamic)
    problems: list[str] = []
    errors = [_errors(through, batch, shapes.batch or len(batch), problems) for batch in batches]
    own = [
        _errors(partial(_own, flow), batch, len(batch), [])
        if (error > MARGIN).any()
        else torch.zeros_like(error)
        for batch, error in zip(batches, errors, strict=True)
    ]
    return Proof(torch.cat(errors), torch.cat(own), problems)


def _errors(
    trip: Callable[[Tensor], Tensor], images: Tensor, count: int, problems: list[str]
) -> Tensor:
    """Error (B,) of each image on a trip that takes `count` images at a time."""
    try:
        last = images[-1:].expand(count - len(images), -1, -1, -1)
        return trip(torch.cat([images, last]))[: len(images)]
    except Exception as error:  # one image fails all of a batch, by the runtime's own exception
        if len(images) > 1:
            return torch.cat([_errors(trip, image[None], count, problems) for image in images])
        problems.append(str(error))
        return torch.full((1,), torch.inf, dtype=torch.float64)


def _own(flow: Flow, images: Tensor) -> Tensor:
    return round_trip_error(flow, images, flow.encode_centres(images))


def _through(flow: Flow, runs: Mapping[What, Run], images: Tensor, *, dynamic: bool) -> Tensor:
    """Largest error (B,) from torch or a program to torch or a program, but torch to torch."""
    centres = (images.float() + 0.5) / 256
    levels = len(flow.blocks) if dynamic else 1
    size = (images.shape[2], images.shape[3])
    sources: dict[What, Tensor] = {"encode": images, "forward": centres}
    encoded = [
        flow.flatten(runs[what]([x])[:levels]) for what, x in sources.items() if what in runs
    ]
    errors = [round_trip_error(flow, images, z) for z in encoded]
    for z in (flow.encode_centres(images), *encoded):
        inputs = flow.levels(z, size) if dynamic else [z]
        if "decode" in runs:
            decoded, pixels = runs["decode"](inputs)
            errors += [_distance(pixels * 256 - 0.5, images), _distance(decoded, images)]
        if "inverse" in runs:
            errors.append(_distance(runs["inverse"](inputs)[0] * 256 - 0.5, images))
    return torch.stack(errors).amax(0)


def _distance(a: Tensor, b: Tensor) -> Tensor:
    return (a.double() - b.double()).abs().flatten(1).amax(1).nan_to_num(torch.inf, torch.inf)

"""Exactness of the pretrained flows: here, and between here and the CPU."""

from collections.abc import Iterator

import torch

import zoo
from benchmarks.on_gpu.clock import milliseconds
from benchmarks.on_gpu.report import Row, Setup
from zoo.exact.patterns import hard_images
from zoo.exact.round_trip import precision, round_trip_error
from zoo.folder.golden import density
from zoo.sources import MODELS


@torch.no_grad()
def exact(setup: Setup) -> Iterator[Row]:
    """A row for each pretrained flow."""
    names = zoo.list_models(pretrained=True)
    for name in names[-1:] if setup.tiny else names:
        here, golden = zoo.load(name), MODELS[name].folder.golden
        flow = zoo.load(name, device=setup.device)
        kept = golden.images[: golden.natural or len(golden.images)]
        images = kept.to(setup.device)
        z = flow.encode(images)
        latents, log_density = density(flow, kept)
        hard = hard_images(flow.config.channels, flow.config.size)[: 4 if setup.tiny else None]
        hard = hard.to(setup.device)
        trip = round_trip_error(flow, images, flow.encode(images, exact=False))
        row = {
            "model": name,
            "images": len(images),
            **precision(z),
            "decoded here": torch.equal(flow.decode(z), images),
            "one by one": all(
                torch.equal(flow.decode(z[i : i + 1]), images[i : i + 1])
                for i in range(0, len(z), 7)
            ),
            "decoded on the CPU": torch.equal(here.decode(z.cpu()), kept),
            "the CPU's decoded here": torch.equal(
                flow.decode(here.encode(kept).to(setup.device)), images
            ),
            "hard images": torch.equal(flow.decode(flow.encode(hard)), hard),
            "round trip, grey levels": float(trip.max()),
            "latents off": float((latents - golden.latents[: len(kept)]).abs().max()),
            "log-density off": float((log_density - golden.log_density[: len(kept)]).abs().max()),
            "encode ms": milliseconds(lambda: flow.encode(images)),  # noqa: B023
        }
        flow.capture()
        for _ in range(3):
            z = flow.encode(images)
        row["captured decoded"] = torch.equal(flow.decode(z), images)
        row["captured encode ms"] = milliseconds(lambda: flow.encode(images))  # noqa: B023
        yield row

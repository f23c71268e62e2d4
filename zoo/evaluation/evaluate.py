"""Measure a flow on a test split: the content of eval.json."""

import dataclasses
import math
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from zoo.errors import ImageError
from zoo.evaluation.batches import Progress, batches
from zoo.evaluation.hostile import finite, hostile, round_trips
from zoo.evaluation.outliers import histograms
from zoo.exact.certificate import Certificate, LayerCertificate
from zoo.flow import Flow
from zoo.folder.versions import versions

# The certificate is measured on so many images, and on fewer large ones: in float64, at twice the
# size too, it takes long.
CERTIFIED, CERTIFIED_PIXELS = 1000, 2**20


@torch.no_grad()
def evaluate(
    flow: Flow,
    images: Tensor,
    compared: Mapping[str, Tensor],
    *,
    labels: Tensor | None = None,
    n_samples: int = 4,
    n_drawn: int = 1000,
    batch_size: int = 250,
    seed: int = 0,
    progress: Progress = lambda task, images: None,
) -> dict[str, Any]:
    """Likelihood, exactness, samples and speed of a flow.

    Args:
        flow: In eval mode.
        images: The whole test split, uint8 (N, C, H, W).
        compared: Sets of the histogram, of `zoo.evaluation.outliers.compared_sets`.
        labels: Class of each image (N,), for a flow with classes.
        n_samples: Dequantization draws of the importance-weighted bits/dim.
        n_drawn: Number of samples drawn at temperature 1 to count the finite ones.
        batch_size: Images at a time.
        seed: Seed of the dequantization and of the samples.
        progress: Called with the name of the task and the number of images just done.

    Returns:
        JSON types only.

    Raises:
        ImageError: If the images are not of the flow's channels and size.
    """
    found, wanted = tuple(images.shape[1:]), (flow.config.channels, *flow.config.size)
    if found != wanted:
        raise ImageError(
            f"the test images are {found}, those of the flow are {wanted}. Name the data set that "
            "it was trained on as the dataset of its config.json."
        )
    counted = histograms(flow, compared, batch_size=batch_size, seed=seed, progress=progress)
    single, weighted = _bits_per_dim(flow, images, n_samples, batch_size, seed, progress)
    trips = round_trips(flow, images, batch_size, "exactness", progress)
    finite_samples, sample_s = _finite_samples(flow, n_drawn, batch_size, seed, progress)
    certified = min(CERTIFIED, math.ceil(CERTIFIED_PIXELS / math.prod(wanted[1:])))
    certificate = flow.certify(images[:certified].to(flow.device))
    return {
        "bits_per_dim": float(single.mean()),
        "bits_per_dim_standard_error": _standard_error(single),
        "bits_per_dim_weighted": float(weighted.mean()),
        "bits_per_dim_weighted_standard_error": _standard_error(weighted),
        **_accuracy(flow, images, labels, n_samples, batch_size, seed, progress),
        "exact_share": trips.exact / len(images),
        "float64_share": trips.float64 / len(images),
        "kept_share": trips.kept / len(images),
        "hostile": hostile(flow, images, batch_size, progress),
        "round_trip_grey_levels": finite(certificate.round_trip),
        "certificate": [_layer(layer) for layer in certificate.layers],
        "couplings": _couplings(certificate),
        "finite_sample_share": finite_samples / n_drawn,
        **counted,
        "parameters": sum(parameter.numel() for parameter in flow.parameters()),
        "milliseconds_per_image": {
            "encode": 1000 * trips.encode_s / max(1, trips.timed),
            "decode": 1000 * trips.decode_s / max(1, trips.timed),
            "sample": 1000 * sample_s / n_drawn,
        },
        "protocol": {
            "images": len(images),
            "dequantization": "uniform",
            "draws": 1,
            "draws_weighted": n_samples,
            "samples_drawn": n_drawn,
            "temperature": 1.0,
            "batch_size": batch_size,
            "seed": seed,
        },
        "versions": versions(flow),
    }


def _bits_per_dim(
    flow: Flow, images: Tensor, n_samples: int, batch_size: int, seed: int, progress: Progress
) -> tuple[Tensor, Tensor]:
    """Bits/dim of each image (N,), from one draw and from the weighted bound with n_samples."""
    generator = torch.Generator(flow.device).manual_seed(seed)
    single, weighted = [], []
    for batch in batches(images, batch_size, "likelihood", progress):
        draws = [
            flow.log_prob(batch.to(flow.device), generator=generator).cpu()
            for _ in range(n_samples)
        ]
        single.append(draws[0])
        weighted.append(torch.stack(draws).logsumexp(0) - math.log(n_samples))
    bits = images[0].numel() * math.log(2)
    return -torch.cat(single) / bits, -torch.cat(weighted) / bits


def _accuracy(
    flow: Flow,
    images: Tensor,
    labels: Tensor | None,
    n_samples: int,
    batch_size: int,
    seed: int,
    progress: Progress,
) -> dict[str, float]:
    """Share of images whose likeliest class by Bayes' rule is their own; nothing without labels."""
    if labels is None:
        return {}
    options = {"n_samples": n_samples, "generator": torch.Generator(flow.device).manual_seed(seed)}
    found = [
        flow.classify(batch.to(flow.device), **options).argmax(1).cpu()
        for batch in batches(images, batch_size, "classes", progress)
    ]
    return {"accuracy": float((torch.cat(found) == labels).double().mean())}


def _finite_samples(
    flow: Flow, count: int, batch_size: int, seed: int, progress: Progress
) -> tuple[int, float]:
    """Number of samples at temperature 1 that are finite, before any clipping; seconds."""
    generator = torch.Generator(flow.device).manual_seed(seed)
    finite, seconds = 0, 0.0
    for batch in batches(torch.empty(count), batch_size, "samples", progress):
        z = flow.draw(len(batch), generator=generator)
        start = time.perf_counter()
        finite += int(flow.finite(*flow.inverse(z)).sum())
        seconds += time.perf_counter() - start
    return finite, seconds


def _standard_error(values: Tensor) -> float | None:
    """The standard error of the mean; of one value there is none."""
    return float(values.std() / len(values) ** 0.5) if len(values) > 1 else None


def _couplings(certificate: Certificate) -> dict[str, Any]:
    """Limits of all couplings, in JSON types."""
    scales = [coupling.scale for coupling in certificate.couplings]
    shifts = [coupling.shift for coupling in certificate.couplings]
    return {
        "number": len(scales),
        "scale": finite(max(scales, default=1.0)),
        "shift": finite(max(shifts, default=0.0)),
        "uncertified": list(certificate.uncertified),
    }


def _layer(certificate: LayerCertificate) -> dict[str, Any]:
    """A layer's certificate in JSON types."""
    values = dataclasses.asdict(certificate)
    return {
        key: finite(value) if isinstance(value, float) else value for key, value in values.items()
    }

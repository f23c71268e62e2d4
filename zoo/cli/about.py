"""A model's facts: all of them for programs, and ten lines for people."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from zoo.architectures import config_to_json
from zoo.architectures.registry import architecture_of
from zoo.cards.licences import OURS
from zoo.cards.markdown import percent, with_error
from zoo.data import facts_of
from zoo.documents import fits
from zoo.exact.certificate import Certificate
from zoo.flow import Flow
from zoo.folder import is_identity
from zoo.sources.names import is_published
from zoo.sources.source import Source

Line = tuple[str, str]
SHOWN = {
    **{"bits_per_dim": float, "bits_per_dim_standard_error": float | None, "exact_share": float},
    **{"split": str, "protocol": {"images": int}},
}


def facts(source: Source, flow: Flow, certificate: Certificate | None) -> dict[str, Any]:
    """Everything that is known of a model; without a certificate its weights are random."""
    about: dict[str, Any] = {"name": str(source), **config_to_json(flow.config)}
    if certificate is not None:
        measured = json.dumps(dataclasses.asdict(certificate))
        about |= {
            **source.folder().config,
            "evaluation": source.folder().evaluation,
            # null for infinity, which JSON lacks
            "certificate": json.loads(measured, parse_constant=lambda _: None),
        }
    return {**about, "parameters": _count(flow)}


def summary(source: Source, flow: Flow, certificate: Certificate | None) -> Iterator[Line]:
    """A model's facts in ten lines: a word, and what is known."""
    config, architecture = flow.config, architecture_of(flow.config)
    title = architecture.paper.title if architecture.paper else architecture.about
    sides = "x".join(map(str, (config.channels, *config.size)))
    levels = f"{len(flow.blocks)} levels of {config.steps} steps"
    yield "model", f"{source}: {title}"
    yield "images", f"{sides}, or other sides divisible by {flow.divisor}"
    yield "size", f"{_count(flow):,} parameters in {levels}"
    if certificate is None:
        yield "weights", "none are published; these are random"
        return
    yield from _origin(source, flow)
    yield from _measured(source, flow)
    yield from _stability(certificate)


def _count(flow: Flow) -> int:
    return sum(parameter.numel() for parameter in flow.parameters())


def _origin(source: Source, flow: Flow) -> Iterator[Line]:
    about = source.folder().config
    data = about.get("dataset_title") or facts_of(str(about.get("dataset"))).title
    steps = f", {about['step']:,} steps" if isinstance(about.get("step"), int) else ""
    parent = f", from {about['parent']['name']}" if fits(about, {"parent": {"name": str}}) else ""
    yield "trained", f"on {data}{steps}{parent}"
    ours = is_published(source.folder())
    yield "licence", OURS if ours else str(about.get("license", "none chosen"))
    yield "sha256", source.folder().sha256


def _measured(source: Source, flow: Flow) -> Iterator[Line]:
    found = source.folder().evaluation
    whose = found and found.get("identity", found.get("sha256"))
    if found is None or not fits(found, SHOWN) or not is_identity(whose, flow):
        yield "bits/dim", f"not measured: flowzoo evaluate {source} --data-dir DATA"
        return
    count, share = found["protocol"]["images"], percent(found["exact_share"], 2)
    bits = with_error(found["bits_per_dim"], found["bits_per_dim_standard_error"])
    yield "bits/dim", f"{bits} on the {found['split']} split"
    yield "exact", f"{share} of its {count:,} images come back bit for bit"


def _stability(certificate: Certificate) -> Iterator[Line]:
    proven = "proven at any size" if certificate.proven_stable else "not proven at any size"
    worst = certificate.worst
    gain = f"; the worst layer amplifies errors by {worst.gain:.3g}" if worst else ""
    farthest = f"in {certificate.dtype} at most {certificate.round_trip:.2g} grey levels off"
    yield "stable", f"{proven}{gain}"
    yield "round trip", f"{farthest}, over {certificate.images} images"

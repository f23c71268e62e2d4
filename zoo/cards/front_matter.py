"""The metadata that the Hugging Face Hub reads from a card."""

import re
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from zoo.cards.figure_files import CAPTIONS, is_current
from zoo.cards.licences import licence_of
from zoo.cards.origin import parent_repository
from zoo.cards.subject import Subject

TASK = "unconditional-image-generation"
TAGS = ("normalizing-flow", "invertible-convolution", "pytorch")
ARXIV = re.compile(r"arxiv\.org/abs/(\d{4}\.\d{4,5})")
GALLERY = ("samples.png", "interpolation.png", "resampling.png", "reconstructions.png")
METRICS = {
    "bits_per_dim": "bits/dim",
    "exact_share": "share of images that come back bit for bit",
    "finite_sample_share": "share of samples at temperature 1 that are finite",
    "accuracy": "share of images that Bayes' rule gives their class",
}


def front_matter(subject: Subject) -> str:
    """The YAML block at the top of a card."""
    hub, parent = subject.data.hub, parent_repository(subject)
    data = ModelCardData(
        license=licence_of(subject),
        library_name="flowzoo",
        pipeline_tag=TASK,
        tags=[*TAGS, subject.folder.architecture, *_arxiv(subject)],
        base_model=parent,
        base_model_relation=parent and "finetune",
        datasets=[hub] if hub else None,
        widget=_gallery(subject) or None,
        model_name=subject.folder.name,
        eval_results=_results(subject) or None,
    )
    return f"---\n{data.to_yaml()}\n---"


def _arxiv(subject: Subject) -> list[str]:
    """A tag of the architecture's paper, which the Hub links, if it is on arXiv."""
    paper = subject.architecture.paper
    found = ARXIV.search(paper.url) if paper else None
    return [f"arxiv:{found[1]}"] if found else []


def _gallery(subject: Subject) -> list[dict[str, Any]]:
    """Figures that the Hub shows beside the card."""
    shown = [name for name in GALLERY if is_current(subject, name)]
    return [{"text": CAPTIONS[name], "output": {"url": name}} for name in shown]


def _results(subject: Subject) -> list[EvalResult]:
    """One result for each metric, with the very number of eval.json."""
    if subject.evaluation is None:
        return []
    dataset = subject.data
    return [
        EvalResult(
            task_type=TASK,
            dataset_type=dataset.hub or subject.folder.dataset,
            dataset_name=dataset.title,
            dataset_split=subject.evaluation["split"],
            metric_type=metric,
            metric_name=title,
            metric_value=subject.evaluation[metric],
        )
        for metric, title in METRICS.items()
        if metric in subject.evaluation
    ]

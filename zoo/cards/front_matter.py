"""The metadata that the Hugging Face Hub reads from a card."""

from huggingface_hub import EvalResult, ModelCardData

from zoo.cards.licences import licence_of
from zoo.cards.subject import Subject

TASK = "unconditional-image-generation"
METRICS = {
    "bits_per_dim": "bits/dim",
    "exact_share": "share of images that come back bit for bit",
    "finite_sample_share": "share of samples at temperature 1 that are finite",
    "accuracy": "share of images that Bayes' rule gives their class",
}


def front_matter(subject: Subject) -> str:
    """The YAML block at the top of a card."""
    hub = subject.data.hub
    data = ModelCardData(
        license=licence_of(subject),
        library_name="flowzoo",
        pipeline_tag=TASK,
        tags=["normalizing-flow", "invertible-convolution", "pytorch", subject.folder.architecture],
        datasets=[hub] if hub else None,
        model_name=subject.folder.name,
        eval_results=_results(subject) or None,
    )
    return f"---\n{data.to_yaml()}\n---"


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

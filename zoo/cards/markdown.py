"""Pieces of Markdown."""

import math
from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with one line for each row."""
    return "\n".join(_row(cells) for cells in (heads, ["---"] * len(heads), *rows))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def fenced(code: str, language: str) -> str:
    """A block of code."""
    return f"```{language}\n{code.strip()}\n```"


def details(summary: str, body: str) -> str:
    """A part that is folded away."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def join(*parts: str) -> str:
    """Paragraphs with a blank line between them, without those that are empty."""
    return "\n\n".join(part for part in parts if part)


def times(sizes: Iterable[int]) -> str:
    """Sizes such as 1 x 28 x 28."""
    return " x ".join(map(str, sizes))


def with_error(value: float, error: float | None) -> str:
    """A mean, and its standard error if it has one."""
    return f"{value:.4f}" + ("" if error is None else f" ± {error:.4f}")


def percent(share: float, digits: int = 0) -> str:
    """A share in per cent, rounded down: only all of them are 100%."""
    scale = 10**digits
    # Rounded far behind that first, for 100 * 0.29 is less than 29.
    return f"{math.floor(round(100 * scale * share, 6)) / scale:.{digits}f}%"

"""Rows of measurements, section by section, written as they come and within a budget of time."""

import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from zoo.files import write_json

Row = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """Setup of a measurement.

    Attributes:
        device: Device to measure on.
        batch: Images at a time.
        tiny: Whether this is a dry run: small sizes, one repeat.
    """

    device: torch.device
    batch: int
    tiny: bool


class Report:
    """Rows by section.

    Args:
        path: JSON file, written after every row.
        budget: Seconds; what is left when they are over is not measured.
    """

    def __init__(self, path: Path, budget: float) -> None:
        self.path, self.end = path, time.perf_counter() + budget
        self.sections: dict[str, list[Row]] = {}

    def run(self, name: str, section: Callable[[Setup], Iterator[Row]], setup: Setup) -> None:
        """Add the rows of a section; a failure is a row too."""
        rows = self.sections.setdefault(name, [])
        try:
            for row in section(setup):
                rows.append(row)
                self._write()
                if time.perf_counter() > self.end:
                    rows.append({"stopped": "the budget of time is used up"})
                    break
        except Exception as error:
            traceback.print_exc()
            rows.append({"failed": f"{type(error).__name__}: {error}"})
        self._write()
        _print(name, rows)

    def _write(self) -> None:
        write_json(self.path, self.sections)


def _print(name: str, rows: list[Row]) -> None:
    heads = list(dict.fromkeys(head for row in rows for head in row))
    table = Table(*heads, title=name)
    for row in rows:
        table.add_row(*(_shown(row.get(head, "")) for head in heads))
    Console(width=40 + 14 * len(heads), markup=False, highlight=False).print(table)


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

"""Measured rows as files."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from zoo.files import write_atomically


def write_csv(records: Sequence[dict[str, object]], path: Path) -> None:
    """Write rows as CSV; the columns are those of the first row and any that others add."""
    columns = list(dict.fromkeys(key for record in records for key in record))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _short(value) for key, value in row.items()} for row in records)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.getvalue().encode())


def _short(value: object) -> object:
    return f"{value:.4g}" if isinstance(value, float) else value

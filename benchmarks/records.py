"""Records of measurements as CSV."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.files import write_atomically


def write_csv(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Write records as CSV, atomically; columns are those of the first one and any others add."""
    columns = list(dict.fromkeys(key for record in records for key in record))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _short(value) for key, value in row.items()} for row in records)
    write_atomically(path, text.getvalue().encode())


def _short(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value

"""The page of faults names a test for every promise."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"\| .+ \| .+ \| `(tests/[\w/]+\.py)::(test_\w+)` \|")


def test_every_promise_has_its_test() -> None:
    lines = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and "| --- |" not in line]
    rows = [line for line in rows if line != "| fault | promise | test |"]
    assert len(rows) > 30
    for row in rows:
        found = ROW.fullmatch(row)
        assert found, row
        assert f"def {found[2]}(" in (ROOT / found[1]).read_text(encoding="utf-8"), row

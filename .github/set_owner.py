"""Put the name of an account in place of OWNER: `python .github/set_owner.py NAME`.

Addresses of the repository and of its pages name it, in the code, the cards and the docs. OWNER
elsewhere stands for the account of whoever reads, and stays.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACES = ("{}/flowzoo", "{}.github.io")
ACCOUNT = re.compile(r"(?!.{40})[A-Za-z0-9]+(-[A-Za-z0-9]+)*")  # GitHub's rule


def set_owner(name: str, folder: Path) -> list[Path]:
    """Replace OWNER in all tracked files of a clone; return the files that changed."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=folder, capture_output=True, check=True)
    files = [folder / path for path in listed.stdout.decode().split("\0") if path]
    return [file for file in files if file != folder / ".github/set_owner.py" and _fill(file, name)]


def _fill(file: Path, name: str) -> bool:
    before = after = file.read_bytes()
    for place in PLACES:
        after = after.replace(place.format("OWNER").encode(), place.format(name).encode())
    if after != before:
        file.write_bytes(after)
    return after != before


if __name__ == "__main__":
    if len(sys.argv) != 2 or not ACCOUNT.fullmatch(sys.argv[1]):
        sys.exit("usage: python .github/set_owner.py NAME, an account of letters, digits and -")
    changed = set_owner(sys.argv[1], ROOT)
    if not changed:
        sys.exit("OWNER stands nowhere: an account is named already")
    for file in changed:
        print(file.relative_to(ROOT))

"""Close matches for a name that does not exist."""

import difflib
from collections.abc import Iterable


def suggest(name: str, known: Iterable[str], most: int = 3) -> str:
    """A sentence naming close matches, or, if there are none, what exists."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=most, cutoff=0.4)
    if close:
        return f" Did you mean {' or '.join(close)}?"
    return f" There are: {', '.join(names)}." if names else " There are none."

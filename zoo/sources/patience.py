"""Bounds of what the Hub may ask of its client: seconds to wait, and bytes to take."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from zoo.errors import ConfigError, HubError

PATIENCE_S = 60
SLOWEST = 10_000  # bytes a second on average, once the patience is used up
MOST = 2**28  # bytes of an answer that is no file
# Headers that announce a size; that of a redirection is in the first.
SIZES = ("x-linked-size", "content-length")


@contextmanager
def patience(what: str, most: int = MOST) -> Iterator[None]:
    """Bound the answers of the Hub meanwhile.

    Args:
        what: Name of the file in errors.
        most: Size in bytes that it may have.

    Raises:
        HubError: Where the Hub asks to wait for longer than PATIENCE_S, or keeps waiting for
            longer than that and a second for each SLOWEST bytes.
        ConfigError: Where the file is larger, before it is fetched if its size is announced.
    """
    from huggingface_hub import get_session

    bounds = _Bounds(what, most, threading.get_ident())
    hooks = get_session().event_hooks["response"]
    hooks.append(bounds.check)
    try:
        yield
    finally:
        hooks.remove(bounds.check)


@dataclass
class _Bounds:
    what: str
    most: int
    thread: int  # others ask for other files by the same session
    waited_s: float = 0
    received: int = 0

    def check(self, response: Any) -> None:
        """Look at the head of an answer, and have its body looked at as it comes."""
        seconds = response.headers.get("Retry-After", "")
        if seconds.isdecimal() and int(seconds) > PATIENCE_S:
            raise HubError(
                f"{response.url.host} asks to wait {seconds} seconds (HTTP "
                f"{response.status_code}). Try again then."
            )
        if threading.get_ident() == self.thread and response.status_code < 400:
            for size in (response.headers.get(name, "") for name in SIZES):
                self._check_size(int(size) if size.isdecimal() else 0)
            response.iter_raw = self._watched(response.iter_raw, response.url.host)

    def _watched(
        self, read: Callable[..., Iterator[bytes]], host: str
    ) -> Callable[..., Iterator[bytes]]:
        def parts(*arguments: Any, **options: Any) -> Iterator[bytes]:
            size, start = 0, time.monotonic()
            for part in read(*arguments, **options):
                self.waited_s += time.monotonic() - start
                self.received += len(part)
                size += len(part)
                self._check_size(size)
                if self.waited_s > PATIENCE_S + self.received / SLOWEST:
                    raise HubError(
                        f"{host} sends {self.what} at fewer than {SLOWEST:,} bytes a second. Try "
                        "again later, or from another network."
                    )
                yield part
                start = time.monotonic()

        return parts

    def _check_size(self, size: int) -> None:
        if size > self.most:
            raise ConfigError(
                f"{self.what} has more than {self.most:,} bytes, and a flow's has not. Name "
                "another repository."
            )

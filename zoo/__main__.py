"""`flowzoo`, which is `python -m zoo`: Ctrl-C is one line while torch is imported, too."""

import os
import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the `flowzoo` command."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:  # not ignored, as in the background
        signal.signal(signal.SIGINT, _leave)
    from zoo.cli import main as command

    signal.signal(signal.SIGINT, usual)
    command()


def _leave(*_: object) -> NoReturn:
    """End at once: an import could lose an exception, and nothing is there to clean up."""
    print("flowzoo: interrupted.", file=sys.stderr, flush=True)
    os._exit(130)


if __name__ == "__main__":
    main()

"""A process that is forked while another thread computes goes on."""

import os
import signal
import threading
import time

import pytest
import torch

from tests.test_flow import noise, tiny

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]
SECONDS = 60


def ends_well(child: int) -> bool:
    """Whether a process ends with 0; it is killed if it hangs."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def test_fork_while_a_thread_computes_what_is_remembered() -> None:
    flow, images = tiny(), noise(2)
    expected = tiny().encode(images)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the threads of OpenMP survive no fork, whoever forks
    computing, go_on = threading.Event(), threading.Event()
    cache = next(m for m in flow.modules() if type(m).__name__ == "WeightCache")

    def compute() -> int:
        computing.set()
        go_on.wait()
        return 1

    def hold() -> None:
        with torch.no_grad():
            cache.get("held", [], compute)

    thread = threading.Thread(target=hold)
    thread.start()
    computing.wait()
    try:
        if (child := os.fork()) == 0:
            try:
                with torch.no_grad():
                    right = cache.get("held", [], lambda: 2) == 2
                right = right and torch.equal(flow.encode(images), expected)
            finally:
                os._exit(0 if right else 1)
        assert ends_well(child)
    finally:
        go_on.set()
        thread.join()
        torch.set_num_threads(threads)


def test_forks_while_a_thread_encodes() -> None:
    images = noise(2)
    expected = tiny().encode(images)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(6):
            flow = tiny()  # nothing is remembered yet
            thread = threading.Thread(target=flow.encode, args=(images,))
            thread.start()
            time.sleep(0.002)
            if (child := os.fork()) == 0:
                try:
                    right = torch.equal(flow.encode(images), expected)
                finally:
                    os._exit(0 if right else 1)
            assert ends_well(child)
            thread.join()
    finally:
        torch.set_num_threads(threads)

"""The page in Chromium: served from this process, watched for requests to anywhere else."""

import io
import os
import sys
from pathlib import Path

from PIL import Image

# The folder that screenshots go to, such as docs/app; by default they are not kept.
SCREENSHOTS = os.environ.get("FLOWZOO_SCREENSHOTS")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
# Hosts that this process looked up or called while it was watched.
CALLED: set[str] = set()


def _watch(event: str, arguments: tuple) -> None:
    """Note hosts; a hook of the interpreter cannot be taken away again."""
    if event == "socket.getaddrinfo":
        CALLED.add(str(arguments[0]))
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        CALLED.add(str(arguments[1][0]))


sys.addaudithook(_watch)


class Visitor:
    """Somebody at the page, with a browser of their own."""

    def __init__(self, browser, url: str) -> None:
        self.requests: list[str] = []
        self.page = browser.new_context(viewport={"width": 1000, "height": 800}).new_page()
        self.page.set_default_timeout(240_000)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)
        self.page.wait_for_selector("#exact-image input", state="attached")

    def open(self, tab: str) -> None:
        self.page.get_by_role("tab", name=tab, exact=True).click()

    def drop(self, field: str, path: Path) -> None:
        self.page.set_input_files(f"#{field} input[type=file]", path)

    def text(self, place: str, expected: str) -> str:
        """The text of a place, once it holds what is expected."""
        self.page.wait_for_selector(f"#{place} :text({expected!r})")
        return self.page.text_content(f"#{place}").strip()

    def pictures(self, place: str, count: int) -> list[str]:
        """The pictures of a place, once it has so many."""
        # In one go: the page may draw the place anew in between.
        found = f"[...document.querySelectorAll('#{place} img')].map(image => image.src)"
        shown = f"() => {{ const all = {found}; return all.length === {count} && all }}"
        return self.page.wait_for_function(shown).json_value()

    def sizes(self, place: str) -> list[list[int]]:
        """For each picture its own width and height, and those on the screen."""
        script = "[...document.querySelectorAll('#PLACE img')].map(image => [image.naturalWidth,"
        script += "image.naturalHeight, image.clientWidth, image.clientHeight])"
        return self.page.evaluate(script.replace("PLACE", place))

    def error(self) -> str:
        """The text of the error that is shown, which is closed."""
        toast = self.page.wait_for_selector(".toast-body")
        text = toast.text_content()
        self.page.click(".toast-close")
        self.page.wait_for_selector(".toast-body", state="detached")
        return text

    def screenshot(self, name: str, whole: bool = True) -> None:
        """Keep a picture of the page, of few colours, or of what is on the screen."""
        if SCREENSHOTS:
            picture = Image.open(io.BytesIO(self.page.screenshot(full_page=whole)))
            path = Path(SCREENSHOTS, f"{name}.png")
            picture.convert("RGB").quantize(64).save(path, optimize=True)

    def strangers(self) -> set[str]:
        """Addresses beyond this machine that the browser asked for."""
        prefixes = ("data:", "blob:", *(f"http://{host}:" for host in LOOPBACK))
        return {url for url in self.requests if not url.startswith(prefixes)}

"""The page of flowzoo as a Space: every pretrained flow, on the address that Spaces expect."""

from zoo.app import serve
from zoo.cli.web_page import shown_by_default

if __name__ == "__main__":
    serve(shown_by_default(), host="0.0.0.0", port=7860)

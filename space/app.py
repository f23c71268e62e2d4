"""The page of flowzoo as a Space: every pretrained flow, on the address that Spaces expect."""

from zoo.app import serve
from zoo.sources import list_models

if __name__ == "__main__":
    serve(list_models(pretrained=True), host="0.0.0.0", port=7860)

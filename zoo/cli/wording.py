"""Errors in the words of the command line: they are raised in those of Python."""

WORDS = {
    "zoo.list_models() lists": "flowzoo ls lists",
    " pretrained=False builds it with random weights.": "",
    "token=, HF_TOKEN": "HF_TOKEN",
    "without local_files_only": "without --local-files-only",
    " (a lower temperature), or float64: flow.double().": ": a lower --temperature.",
    "size=(H, W)": "--size H,W",
    "size must be (H, W) divisible": "--size must be H,W divisible",
    "Use flow.cpu(), or --trainer": "Use --trainer",
    " (allow_inexact=True)": "",
    "where flow.encode takes": "where encoding takes",
    'method="paper" takes': "--method paper takes",
    "steps, both ends included,": "--steps, both ends included,",
    "pass attributes: zoo.latents.attributes measures some": "pass --attribute slant, or another",
    "Find one among latents of that size.": "Pass --crop or --resize.",
    "temperature must be": "--temperature must be",
}


def in_commands(message: str) -> str:
    """The message with options and commands for arguments and functions."""
    for python, command in WORDS.items():
        message = message.replace(python, command)
    return message

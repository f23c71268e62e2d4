"""Errors of the parser of recipes and options, in the words of the command line."""

import re

TYPES = {
    "<class 'int'>": "a whole number",
    "<class 'float'>": "a number",
    "<class 'bool'>": "true or false",
}


def in_options(text: str) -> str:
    """A parser's error, with options as they are written and their types in words."""
    text = " ".join(re.sub(r'Parser key "(.+?)"', r"--\1", text).split())
    wrong = re.fullmatch(r"(--\S+): Expected an? (.+?)\. Got value: (.*)", text)
    if wrong is None:
        return text
    option, kind, value = wrong.groups()
    choices = re.fullmatch(r"typing\.Literal\[(.+)\]", kind)
    wanted = f"one of {choices[1].replace(chr(39), '')}" if choices else TYPES.get(kind, kind)
    return f"{option} must be {wanted}; got {value}"

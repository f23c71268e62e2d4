"""Licences of weights: the zoo's own, or the one that a user chooses."""

from zoo.cards.subject import Subject
from zoo.errors import ArgumentError, suggest
from zoo.folder import ModelFolder

# The licence of the repository, and so of the weights in it.
OURS = "apache-2.0"

# Identifiers that the Hugging Face Hub takes without further fields
# (https://huggingface.co/docs/hub/repositories-licenses).
IDENTIFIERS = """
afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0
bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0
cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0
cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0
cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0
creativeml-openrail-m ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 gfdl gpl gpl-2.0 gpl-3.0 isc lgpl
lgpl-2.1 lgpl-3.0 lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 openrail openrail++ osl-3.0
pddl postgresql unlicense wtfpl zlib
"""
LICENCES = frozenset(IDENTIFIERS.split())


def licence_of(subject: Subject) -> str | None:
    """The licence of a model's weights; None until one is chosen.

    Raises:
        ArgumentError: If config.json has one that the Hub does not know.
    """
    if subject.published:
        return OURS
    chosen = subject.about.get("license")
    return None if chosen is None else check_licence(str(chosen))


def check_licence(licence: str) -> str:
    """The licence, if the Hub knows it."""
    if licence not in LICENCES:
        known = suggest(licence, sorted(LICENCES))
        raise ArgumentError(f"the Hugging Face Hub knows no licence {licence!r}.{known}")
    return licence


def choose_licence(folder: ModelFolder, licence: str) -> None:
    """Keep the licence of a user's own model in its config.json.

    Raises:
        ArgumentError: If the Hub does not know it, or the weights are the zoo's.
    """
    check_licence(licence)
    subject = Subject.read(folder)
    if subject.published:
        raise ArgumentError(f"{folder.name} is of the zoo and under {OURS}; choose for your own.")
    folder.write_config({**folder.config, "license": licence})

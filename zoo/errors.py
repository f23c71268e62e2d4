"""Every error that flowzoo raises on purpose: one sentence on what was wrong, one on what to do."""


class FlowzooError(Exception):
    """Base of all errors of this package; the command line prints them on one line.

    Attributes:
        exit_status: What the command then ends with.
    """

    exit_status = 2


class ArgumentError(FlowzooError, ValueError):
    """A number or option out of its range."""


class ImageError(FlowzooError, ValueError):
    """Images of a wrong dtype, shape, size or value range."""


class LatentError(FlowzooError, ValueError):
    """Latents of a wrong dtype, shape or length, with NaN, or of another model."""


class ConfigError(FlowzooError, ValueError):
    """A configuration that cannot be read or that describes no model."""


class UnknownModelError(FlowzooError, ValueError):
    """A model name that is not registered, or a source that is none of the known kinds."""


class NotInvertibleError(FlowzooError, ValueError):
    """A bijection without an inverse, or images that do not come back from their latents."""


class NonFiniteError(FlowzooError, ValueError):
    """NaN or infinity where a number was due."""


class WeightsError(FlowzooError, OSError):
    """Weights that are missing, truncated, tampered with, or of another model."""


class DamagedError(WeightsError):
    """Weights that are not, byte for byte, the announced ones; getting them again may help."""


class HubError(FlowzooError, OSError):
    """The Hugging Face Hub lacks or refuses what was asked for, or cannot be reached."""


class DataError(FlowzooError, OSError):
    """A data set whose files are missing or not the official ones."""


class TerminatedError(FlowzooError, RuntimeError):
    """Training that SIGTERM ended, after a checkpoint was written."""

    exit_status = 128 + 15

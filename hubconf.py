"""torch.hub entrypoints: one for each architecture and one for each model of the zoo.

    torch.hub.load("OWNER/flowzoo:v0.1.0", "finc_mnist", pretrained=True, trust_repo=True)
    torch.hub.load("OWNER/flowzoo:v0.1.0", "finc", weights="hf-hub:OWNER/REPO", trust_repo=True)

Every entrypoint returns a `zoo.Flow` in eval mode. Nothing is imported before one is called.
"""

dependencies = ["torch", "numpy", "safetensors", "huggingface_hub"]

# Of `zoo.load`, for weights of the Hub.
_HUB_OPTIONS = {"local_files_only", "cache_dir", "token"}


def _zoo_module(name):
    """Import a module of this repository's `zoo`, never of other code of that name."""
    import importlib
    from pathlib import Path

    own = Path(__file__).resolve().parent / "zoo" / "__init__.py"
    found = Path(importlib.import_module("zoo").__file__ or "").resolve()
    if found != own and (found.name != own.name or _code(found.parent) != _code(own.parent)):
        raise ImportError(
            f"a foreign package zoo, or another version of flowzoo, is imported from {found}; this "
            f"one is {own}. Load it in a process that has not imported the other one."
        )
    return importlib.import_module(name)


def _code(folder):
    """The source files of a package, by their paths in it."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.py")}


def _refuse(message):
    raise _zoo_module("zoo.errors").ArgumentError(message)


def _architecture(name, config, weights, options):
    if weights is not None:
        if config is not None or set(options) - _HUB_OPTIONS:
            _refuse("weights come with their config; pass no other and no further fields.")
        return _zoo_module("zoo.sources.names").load_architecture(name, weights, **options)
    architectures = _zoo_module("zoo.architectures")
    architecture = architectures.find_architecture(name)
    if isinstance(config, dict):
        if options:
            _refuse("a whole config takes no further fields; put them into it.")
        return architectures.build(architecture.config_class.from_dict(config)).eval()
    if not isinstance(config, str | None):
        _refuse(f"config is a name or a dict of all fields; got a {type(config).__name__}.")
    preset = architecture.preset(config or "compact_mnist", **options)
    return architectures.build(preset).eval()


def _model(name, pretrained, weights, options):
    if unknown := ", ".join(sorted(set(options) - _HUB_OPTIONS)):
        _refuse(f"{name} has no option {unknown}; help(hubconf.{name}) tells of those it has.")
    registry = _zoo_module("zoo.sources.names")
    if weights is not None:
        return registry.load_model(name, weights, **options)
    return registry.load(name, pretrained=pretrained, **options)


def glow(config=None, weights=None, **options):
    """Glow, the baseline: actnorm, 1 x 1 convolution, affine coupling.

    Args:
        config: Name of a configuration such as "compact_mnist" or "paper_cifar10", or a dict of
            all fields; the default is "compact_mnist". The flow has random weights.
        weights: A pretrained flow instead, with its own configuration: "hf-hub:OWNER/REPO@REVISION"
            or "local-dir:PATH".
        **options: Fields of a named configuration to change; or, with weights of the Hub,
            local_files_only, cache_dir and token, as for `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "glow", source="local", config="compact_mnist", steps=2)
        >>> flow.sample(2, size=(8, 8)).shape
        torch.Size([2, 1, 8, 8])
    """
    return _architecture("glow", config, weights, options)


def emerging(config=None, weights=None, **options):
    """Emerging convolutions, a baseline: Glow with two triangular convolutions in each step.

    Args:
        config: Name of a configuration such as "compact_mnist" or "paper_cifar10", or a dict of
            all fields; the default is "compact_mnist". The flow has random weights.
        weights: A pretrained flow instead, with its own configuration: "hf-hub:OWNER/REPO@REVISION"
            or "local-dir:PATH".
        **options: Fields of a named configuration to change; or, with weights of the Hub,
            local_files_only, cache_dir and token, as for `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "emerging", source="local", config="compact_mnist", steps=2)
        >>> flow.sample(2, size=(8, 8)).shape
        torch.Size([2, 1, 8, 8])
    """
    return _architecture("emerging", config, weights, options)


def cinc(config=None, weights=None, **options):
    """CInC Flow with affine coupling.

    Args:
        config: Name of a configuration such as "compact_mnist" or "paper_cifar10", or a dict of
            all fields; the default is "compact_mnist". The flow has random weights.
        weights: A pretrained flow instead, with its own configuration: "hf-hub:OWNER/REPO@REVISION"
            or "local-dir:PATH".
        **options: Fields of a named configuration to change; or, with weights of the Hub,
            local_files_only, cache_dir and token, as for `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "cinc", source="local", config="compact_mnist", steps=2)
        >>> flow.sample(2, size=(8, 8)).shape
        torch.Size([2, 1, 8, 8])
    """
    return _architecture("cinc", config, weights, options)


def cinc_quad(config=None, weights=None, **options):
    """CInC Flow with Quad-coupling.

    Args:
        config: Name of a configuration such as "compact_mnist" or "paper_cifar10", or a dict of
            all fields; the default is "compact_mnist". The flow has random weights.
        weights: A pretrained flow instead, with its own configuration: "hf-hub:OWNER/REPO@REVISION"
            or "local-dir:PATH".
        **options: Fields of a named configuration to change; or, with weights of the Hub,
            local_files_only, cache_dir and token, as for `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "cinc_quad", source="local", config="compact_mnist", steps=2)
        >>> flow.sample(2, size=(8, 8)).shape
        torch.Size([2, 1, 8, 8])
    """
    return _architecture("cinc_quad", config, weights, options)


def finc(config=None, weights=None, **options):
    """FInC Flow.

    Args:
        config: Name of a configuration such as "compact_mnist" or "paper_cifar10", or a dict of
            all fields; the default is "compact_mnist". The flow has random weights.
        weights: A pretrained flow instead, with its own configuration: "hf-hub:OWNER/REPO@REVISION"
            or "local-dir:PATH".
        **options: Fields of a named configuration to change; or, with weights of the Hub,
            local_files_only, cache_dir and token, as for `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "finc", source="local", config="compact_mnist", steps=2)
        >>> flow.sample(2, size=(8, 8)).shape
        torch.Size([2, 1, 8, 8])
    """
    return _architecture("finc", config, weights, options)


def conf(config=None, weights=None, **options):
    """CONF, invertible convolutional flow.

    Args:
        config: Name of a configuration such as "compact_mnist" or "compact_cifar10", or a dict of
            all fields; the default is "compact_mnist". The flow has random weights.
        weights: A pretrained flow instead, with its own configuration: "hf-hub:OWNER/REPO@REVISION"
            or "local-dir:PATH".
        **options: Fields of a named configuration to change, such as convolution="circular",
            adaptive=False or gate="asinh"; or, with weights of the Hub, local_files_only,
            cache_dir and token, as for `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "conf", source="local", config="compact_mnist", steps=2)
        >>> flow.sample(2, size=(8, 8)).shape
        torch.Size([2, 1, 8, 8])
    """
    return _architecture("conf", config, weights, options)


def cinc_mnist(pretrained=True, weights=None, **options):
    """Compact CInC Flow of MNIST.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "cinc_mnist", source="local")
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("cinc_mnist", pretrained, weights, options)


def cinc_fashion_mnist(pretrained=True, weights=None, **options):
    """Compact CInC Flow of Fashion-MNIST. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "cinc_fashion_mnist", source="local", pretrained=False)
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("cinc_fashion_mnist", pretrained, weights, options)


def cinc_cifar10(pretrained=True, weights=None, **options):
    """Compact CInC Flow of CIFAR-10. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "cinc_cifar10", source="local", pretrained=False)
        >>> images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("cinc_cifar10", pretrained, weights, options)


def cinc_quad_mnist(pretrained=True, weights=None, **options):
    """Compact CInC Flow with Quad-coupling of MNIST.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "cinc_quad_mnist", source="local")
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("cinc_quad_mnist", pretrained, weights, options)


def cinc_quad_fashion_mnist(pretrained=True, weights=None, **options):
    """Compact CInC Flow with Quad-coupling of Fashion-MNIST. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "cinc_quad_fashion_mnist", source="local", pretrained=False)
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("cinc_quad_fashion_mnist", pretrained, weights, options)


def cinc_quad_cifar10(pretrained=True, weights=None, **options):
    """Compact CInC Flow with Quad-coupling of CIFAR-10. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "cinc_quad_cifar10", source="local", pretrained=False)
        >>> images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("cinc_quad_cifar10", pretrained, weights, options)


def conf_mnist(pretrained=True, weights=None, **options):
    """Compact CONF of MNIST.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "conf_mnist", source="local")
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("conf_mnist", pretrained, weights, options)


def conf_fashion_mnist(pretrained=True, weights=None, **options):
    """Compact CONF of Fashion-MNIST. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "conf_fashion_mnist", source="local", pretrained=False)
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("conf_fashion_mnist", pretrained, weights, options)


def conf_cifar10(pretrained=True, weights=None, **options):
    """Compact CONF of CIFAR-10. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "conf_cifar10", source="local", pretrained=False)
        >>> images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("conf_cifar10", pretrained, weights, options)


def emerging_mnist(pretrained=True, weights=None, **options):
    """Compact flow of emerging convolutions, of MNIST. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "emerging_mnist", source="local", pretrained=False)
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("emerging_mnist", pretrained, weights, options)


def emerging_fashion_mnist(pretrained=True, weights=None, **options):
    """Compact flow of emerging convolutions, of Fashion-MNIST. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "emerging_fashion_mnist", source="local", pretrained=False)
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("emerging_fashion_mnist", pretrained, weights, options)


def emerging_cifar10(pretrained=True, weights=None, **options):
    """Compact flow of emerging convolutions, of CIFAR-10. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "emerging_cifar10", source="local", pretrained=False)
        >>> images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("emerging_cifar10", pretrained, weights, options)


def finc_mnist(pretrained=True, weights=None, **options):
    """Compact FInC Flow of MNIST.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "finc_mnist", source="local")
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("finc_mnist", pretrained, weights, options)


def finc_fashion_mnist(pretrained=True, weights=None, **options):
    """Compact FInC Flow of Fashion-MNIST. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "finc_fashion_mnist", source="local", pretrained=False)
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("finc_fashion_mnist", pretrained, weights, options)


def finc_cifar10(pretrained=True, weights=None, **options):
    """Compact FInC Flow of CIFAR-10. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "finc_cifar10", source="local", pretrained=False)
        >>> images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("finc_cifar10", pretrained, weights, options)


def glow_mnist(pretrained=True, weights=None, **options):
    """Compact Glow of MNIST. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "glow_mnist", source="local", pretrained=False)
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("glow_mnist", pretrained, weights, options)


def glow_fashion_mnist(pretrained=True, weights=None, **options):
    """Compact Glow of Fashion-MNIST. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "glow_fashion_mnist", source="local", pretrained=False)
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("glow_fashion_mnist", pretrained, weights, options)


def glow_cifar10(pretrained=True, weights=None, **options):
    """Compact Glow of CIFAR-10. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "glow_cifar10", source="local", pretrained=False)
        >>> images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("glow_cifar10", pretrained, weights, options)

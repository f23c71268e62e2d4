"""torch.hub entrypoints: one for each architecture and one for each model of the zoo.

    torch.hub.load("OWNER/flowzoo:v0.1.0", "finc_mnist", pretrained=True, trust_repo=True)
    torch.hub.load("OWNER/flowzoo:v0.1.0", "finc", weights="hf-hub:OWNER/REPO", trust_repo=True)

Every entrypoint returns a `zoo.Flow` in eval mode. Nothing is imported before one is called.
"""

dependencies = ["torch", "numpy", "safetensors", "huggingface_hub"]


def _zoo_module(name):
    """Import a module of this repository's `zoo`, never of another package of that name."""
    import importlib
    from pathlib import Path

    own = Path(__file__).resolve().parent / "zoo" / "__init__.py"
    found = importlib.import_module("zoo").__file__
    if found is None or Path(found).read_bytes() != own.read_bytes():
        raise ImportError(
            f"a foreign package zoo, or another version of flowzoo, is imported from {found}; this "
            f"one is {own}. Load it in a process that has not imported the other one."
        )
    return importlib.import_module(name)


def _architecture(name, config, weights, overrides):
    architectures = _zoo_module("zoo.architectures")
    architecture = architectures.find_architecture(name)
    if weights is not None:
        if config is not None or overrides:
            raise TypeError("weights come with their config; pass no other and no further fields.")
        return _zoo_module("zoo.registry").load_architecture(name, weights)
    if isinstance(config, dict):
        if overrides:
            raise TypeError("a whole config takes no further fields; put them into it.")
        return architectures.build(architecture.config_class.from_dict(config)).eval()
    preset = architecture.preset(config or "compact_mnist", **overrides)
    return architectures.build(preset).eval()


def _model(name, pretrained, weights):
    registry = _zoo_module("zoo.registry")
    if weights is not None:
        return registry.load_model(name, weights)
    return registry.load(name, pretrained=pretrained)


def glow(config=None, weights=None, **overrides):
    """Glow, the baseline: actnorm, 1 x 1 convolution, affine coupling.

    Args:
        config: Name of a configuration such as "compact_mnist" or "paper_cifar10", or a dict of
            all fields; the default is "compact_mnist". The flow has random weights.
        weights: A pretrained flow instead, with its own configuration: "hf-hub:OWNER/REPO@REVISION"
            or "local-dir:PATH".
        **overrides: Fields of a named configuration to change.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "glow", source="local", config="compact_mnist", steps=2)
        >>> flow.sample(2, size=(8, 8)).shape
        torch.Size([2, 1, 8, 8])
    """
    return _architecture("glow", config, weights, overrides)


def emerging(config=None, weights=None, **overrides):
    """Emerging convolutions, a baseline: Glow with two triangular convolutions in each step.

    Args:
        config: Name of a configuration such as "compact_mnist" or "paper_cifar10", or a dict of
            all fields; the default is "compact_mnist". The flow has random weights.
        weights: A pretrained flow instead, with its own configuration: "hf-hub:OWNER/REPO@REVISION"
            or "local-dir:PATH".
        **overrides: Fields of a named configuration to change.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "emerging", source="local", config="compact_mnist", steps=2)
        >>> flow.sample(2, size=(8, 8)).shape
        torch.Size([2, 1, 8, 8])
    """
    return _architecture("emerging", config, weights, overrides)


def cinc(config=None, weights=None, **overrides):
    """CInC Flow with affine coupling.

    Args:
        config: Name of a configuration such as "compact_mnist" or "paper_cifar10", or a dict of
            all fields; the default is "compact_mnist". The flow has random weights.
        weights: A pretrained flow instead, with its own configuration: "hf-hub:OWNER/REPO@REVISION"
            or "local-dir:PATH".
        **overrides: Fields of a named configuration to change.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "cinc", source="local", config="compact_mnist", steps=2)
        >>> flow.sample(2, size=(8, 8)).shape
        torch.Size([2, 1, 8, 8])
    """
    return _architecture("cinc", config, weights, overrides)


def cinc_quad(config=None, weights=None, **overrides):
    """CInC Flow with Quad-coupling.

    Args:
        config: Name of a configuration such as "compact_mnist" or "paper_cifar10", or a dict of
            all fields; the default is "compact_mnist". The flow has random weights.
        weights: A pretrained flow instead, with its own configuration: "hf-hub:OWNER/REPO@REVISION"
            or "local-dir:PATH".
        **overrides: Fields of a named configuration to change.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "cinc_quad", source="local", config="compact_mnist", steps=2)
        >>> flow.sample(2, size=(8, 8)).shape
        torch.Size([2, 1, 8, 8])
    """
    return _architecture("cinc_quad", config, weights, overrides)


def finc(config=None, weights=None, **overrides):
    """FInC Flow.

    Args:
        config: Name of a configuration such as "compact_mnist" or "paper_cifar10", or a dict of
            all fields; the default is "compact_mnist". The flow has random weights.
        weights: A pretrained flow instead, with its own configuration: "hf-hub:OWNER/REPO@REVISION"
            or "local-dir:PATH".
        **overrides: Fields of a named configuration to change.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "finc", source="local", config="compact_mnist", steps=2)
        >>> flow.sample(2, size=(8, 8)).shape
        torch.Size([2, 1, 8, 8])
    """
    return _architecture("finc", config, weights, overrides)


def conf(config=None, weights=None, **overrides):
    """CONF, invertible convolutional flow.

    Args:
        config: Name of a configuration such as "compact_mnist" or "compact_cifar10", or a dict of
            all fields; the default is "compact_mnist". The flow has random weights.
        weights: A pretrained flow instead, with its own configuration: "hf-hub:OWNER/REPO@REVISION"
            or "local-dir:PATH".
        **overrides: Fields of a named configuration to change, such as convolution="circular",
            adaptive=False or gate="asinh".

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "conf", source="local", config="compact_mnist", steps=2)
        >>> flow.sample(2, size=(8, 8)).shape
        torch.Size([2, 1, 8, 8])
    """
    return _architecture("conf", config, weights, overrides)


def cinc_mnist(pretrained=True, weights=None):
    """Compact CInC Flow of MNIST.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "cinc_mnist", source="local")
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("cinc_mnist", pretrained, weights)


def cinc_fashion_mnist(pretrained=True, weights=None):
    """Compact CInC Flow of Fashion-MNIST. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "cinc_fashion_mnist", source="local", pretrained=False)
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("cinc_fashion_mnist", pretrained, weights)


def cinc_cifar10(pretrained=True, weights=None):
    """Compact CInC Flow of CIFAR-10. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "cinc_cifar10", source="local", pretrained=False)
        >>> images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("cinc_cifar10", pretrained, weights)


def cinc_quad_mnist(pretrained=True, weights=None):
    """Compact CInC Flow with Quad-coupling of MNIST.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "cinc_quad_mnist", source="local")
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("cinc_quad_mnist", pretrained, weights)


def cinc_quad_fashion_mnist(pretrained=True, weights=None):
    """Compact CInC Flow with Quad-coupling of Fashion-MNIST. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "cinc_quad_fashion_mnist", source="local", pretrained=False)
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("cinc_quad_fashion_mnist", pretrained, weights)


def cinc_quad_cifar10(pretrained=True, weights=None):
    """Compact CInC Flow with Quad-coupling of CIFAR-10. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "cinc_quad_cifar10", source="local", pretrained=False)
        >>> images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("cinc_quad_cifar10", pretrained, weights)


def conf_mnist(pretrained=True, weights=None):
    """Compact CONF of MNIST.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "conf_mnist", source="local")
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("conf_mnist", pretrained, weights)


def conf_fashion_mnist(pretrained=True, weights=None):
    """Compact CONF of Fashion-MNIST. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "conf_fashion_mnist", source="local", pretrained=False)
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("conf_fashion_mnist", pretrained, weights)


def conf_cifar10(pretrained=True, weights=None):
    """Compact CONF of CIFAR-10. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "conf_cifar10", source="local", pretrained=False)
        >>> images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("conf_cifar10", pretrained, weights)


def emerging_mnist(pretrained=True, weights=None):
    """Compact flow of emerging convolutions, of MNIST. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "emerging_mnist", source="local", pretrained=False)
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("emerging_mnist", pretrained, weights)


def emerging_fashion_mnist(pretrained=True, weights=None):
    """Compact flow of emerging convolutions, of Fashion-MNIST. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "emerging_fashion_mnist", source="local", pretrained=False)
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("emerging_fashion_mnist", pretrained, weights)


def emerging_cifar10(pretrained=True, weights=None):
    """Compact flow of emerging convolutions, of CIFAR-10. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "emerging_cifar10", source="local", pretrained=False)
        >>> images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("emerging_cifar10", pretrained, weights)


def finc_mnist(pretrained=True, weights=None):
    """Compact FInC Flow of MNIST.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "finc_mnist", source="local")
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("finc_mnist", pretrained, weights)


def finc_fashion_mnist(pretrained=True, weights=None):
    """Compact FInC Flow of Fashion-MNIST. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "finc_fashion_mnist", source="local", pretrained=False)
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("finc_fashion_mnist", pretrained, weights)


def finc_cifar10(pretrained=True, weights=None):
    """Compact FInC Flow of CIFAR-10. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "finc_cifar10", source="local", pretrained=False)
        >>> images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("finc_cifar10", pretrained, weights)


def glow_mnist(pretrained=True, weights=None):
    """Compact Glow of MNIST. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "glow_mnist", source="local", pretrained=False)
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("glow_mnist", pretrained, weights)


def glow_fashion_mnist(pretrained=True, weights=None):
    """Compact Glow of Fashion-MNIST. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "glow_fashion_mnist", source="local", pretrained=False)
        >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("glow_fashion_mnist", pretrained, weights)


def glow_cifar10(pretrained=True, weights=None):
    """Compact Glow of CIFAR-10. No weights are published yet.

    Args:
        pretrained: Load the published weights; False gives random ones.
        weights: Load these instead, say "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH", of a
            flow of the same configuration.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "glow_cifar10", source="local", pretrained=False)
        >>> images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """
    return _model("glow_cifar10", pretrained, weights)

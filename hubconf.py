"""torch.hub entrypoints: one for each architecture and one for each model of zoo/models.json.

    repository = "OWNER/flowzoo:v0.1.0"
    torch.hub.load(repository, "finc_mnist", pretrained=True, trust_repo=True)
    torch.hub.load(repository, "finc", weights="hf-hub:OWNER/REPO", trust_repo=True)

Every entrypoint returns a `zoo.Flow` in eval mode. Nothing is imported before one is called.
"""

dependencies = ["torch", "numpy", "safetensors", "huggingface_hub"]

# Options of `zoo.load` for weights of the Hub.
_HUB_OPTIONS = {"local_files_only", "cache_dir", "token"}
_OF_ARCHITECTURE = """A flow of the architecture {name}.

    Args:
        config: Name of a configuration such as "compact_mnist" or "compact_cifar10", or a dict of
            all fields; the default is "compact_mnist". The flow has random weights.
        weights: A pretrained flow instead, with its own configuration: "hf-hub:OWNER/REPO@REVISION"
            or "local-dir:PATH".
        **options: Fields of a named configuration to change; or, with weights of the Hub,
            local_files_only, cache_dir and token, as for `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "{name}", source="local", config="compact_mnist", steps=2)
        >>> flow.sample(2, size=(8, 8)).shape
        torch.Size([2, 1, 8, 8])
    """
_OF_MODEL = """A compact flow of the architecture {architecture}, for {dataset}.{published}

    Args:
        pretrained: Load the published weights; False gives random ones. Default: {pretrained}.
        weights: Load these instead: "DEFAULT" for the published ones, "V{version}" for these and no
            later ones; "hf-hub:OWNER/REPO@REVISION" or "local-dir:PATH" for those of another flow
            of the same configuration.
        **options: With weights of the Hub: local_files_only, cache_dir and token, as for
            `zoo.load`.

    Example:
        >>> import torch
        >>> flow = torch.hub.load(".", "{name}", source="local")
        >>> images = torch.zeros(2, flow.config.channels, *flow.config.size, dtype=torch.uint8)
        >>> bool((flow.decode(flow.encode(images)) == images).all())
        True
    """


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


def _make_architecture(name):
    def entrypoint(config=None, weights=None, **options):
        if weights is not None:
            if config is not None or set(options) - _HUB_OPTIONS:
                _refuse("weights come with their config; pass no other and no further fields.")
            return _zoo_module("zoo.sources.load").load_architecture(name, weights, **options)
        architecture = _zoo_module("zoo.architectures").find_architecture(name)
        if isinstance(config, dict):
            if options:
                _refuse("a whole config takes no further fields; put them into it.")
            return architecture.build(architecture.config_class.from_dict(config)).eval()
        if not isinstance(config, str | None):
            _refuse(f"config is a name or a dict of all fields; got a {type(config).__name__}.")
        return architecture.build(architecture.preset(config or "compact_mnist", **options)).eval()

    return _described(entrypoint, name, _OF_ARCHITECTURE.format(name=name))


def _make_model(name, architecture, dataset, sha256, version=1, **_):
    def entrypoint(pretrained=bool(sha256), weights=None, **options):
        if unknown := ", ".join(sorted(set(options) - _HUB_OPTIONS)):
            _refuse(f"{name} has no option {unknown}; help(hubconf.{name}) tells of those it has.")
        sources = _zoo_module("zoo.sources.load")
        if weights is not None:
            return sources.load_model(name, weights, **options)
        return sources.load(name, pretrained=pretrained, **options)

    fields = {"name": name, "architecture": architecture, "dataset": dataset, "version": version}
    published = "" if sha256 else " No weights are published yet."
    text = _OF_MODEL.format(**fields, published=published, pretrained=bool(sha256))
    return _described(entrypoint, name, text)


def _described(entrypoint, name, text):
    entrypoint.__name__ = entrypoint.__qualname__ = name
    entrypoint.__doc__ = text
    return entrypoint


def _entrypoints():
    import json
    from pathlib import Path

    file = Path(__file__).resolve().parent / "zoo" / "models.json"
    models = json.loads(file.read_text(encoding="utf-8"))
    architectures = dict.fromkeys(fields["architecture"] for fields in models.values())
    return {
        **{name: _make_architecture(name) for name in architectures},
        **{name: _make_model(name, **fields) for name, fields in models.items()},
    }


globals().update(_entrypoints())

"""Training with Lightning; needs the extra: pip install "flowzoo[train]"."""

"""Model cards: README.md of a model's folder, rendered from what was measured."""

from zoo.cards.card import render, render_card, write_card
from zoo.cards.save import save_flow

__all__ = ["render", "render_card", "save_flow", "write_card"]

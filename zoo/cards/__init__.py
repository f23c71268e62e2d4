"""Model cards: README.md of a model's folder, rendered from what was measured."""

from zoo.cards.card import CARD, render, render_card, write_card
from zoo.cards.figure_files import FIGURES

__all__ = ["CARD", "FIGURES", "render", "render_card", "write_card"]

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Figures: galaxies with their vote fractions, and how good these are.

In: postage stamps and a table of results; or the tables of `galmorph.evaluation`
and of a training. Out: matplotlib figures, which can be written to a file on the
way. No pyplot, so no display and no global state. Needs the extra ``plot``.
"""

from galmorph.visualization.card import card
from galmorph.visualization.comparison import (
    confusion_figure,
    density_figure,
    selection_figure,
)
from galmorph.visualization.gallery import gallery
from galmorph.visualization.history import history_figure
from galmorph.visualization.reliability import (
    bins_figure,
    coverage_figure,
    reliability_figure,
)

__all__ = [
    "bins_figure",
    "card",
    "confusion_figure",
    "coverage_figure",
    "density_figure",
    "gallery",
    "history_figure",
    "reliability_figure",
    "selection_figure",
]

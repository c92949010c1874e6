# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Figures: galaxies with their vote fractions.

In: postage stamps and a table of results. Out: matplotlib figures, which can
be written to a file on the way. No pyplot, so no display and no global state.
Needs the extra ``plot``.
"""

from galmorph.visualization.card import card
from galmorph.visualization.gallery import gallery
from galmorph.visualization.history import history_figure

__all__ = ["card", "gallery", "history_figure"]

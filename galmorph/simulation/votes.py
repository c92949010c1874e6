# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Virtual classifiers: what people would tick for a simulated galaxy.

A person ticks each box by a chance that is a logistic function of a score, and
the score is a weighted sum of what can be *seen* (`~galmorph.simulation.Visible`).
Nobody leaves the form empty: who would tick nothing looks again.
`~galmorph.simulation.fit_calibration` solves for the constants, so that the votes
are distributed as those of Kartaltepe et al. (2015, ApJS 221, 11).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from galmorph.core import CANDELS
from galmorph.simulation.visibility import see

__all__ = [
    "CALIBRATION",
    "TERMS",
    "Calibration",
    "draw_ticks",
    "draw_votes",
    "expected_fractions",
    "tick_chances",
    "visible_terms",
    "vote_fractions",
]


@dataclass(frozen=True)
class Calibration:
    """
    Constants of the virtual classifiers, one row for each class of CANDELS.

    Parameters
    ----------
    intercept : tuple of float
        Of the logistic functions.
    weights : tuple of tuple of float
        Weights of the ``TERMS`` of what can be seen.
    """

    intercept: tuple
    weights: tuple


TERMS = (
    "bulge", "disk", "compact", "smooth", "flat", "disturbed", "structure",
    "hidden", "spoilt", "star", "saturation", "small",
)  # fmt: skip
"""
What can be seen, as `visible_terms` gives it.

Bulge, which small galaxies seem to have more of; whether there is a disk to be seen
around it; how little is resolved; how far it looks like a smooth round blob; flatness
of what is no bulge; asymmetry and structure above the noise; what the noise hides; an
artifact, a blend or too little signal; a star; saturation; a round blob little wider
than the PSF.
"""

CALIBRATION = Calibration(
    intercept=(
        -3.291,
        6.737,
        -4.875,
        -4.748,
        -6.323,
    ),
    weights=(
        (
            4.085,
            1.289,
            0.894,
            -1.132,
            -1.93,
            -3.286,
            1.487,
            1.857,
            -5.543,
            -0.184,
            -1.229,
            -0.164,
        ),
        (
            -9.005,
            -5.48,
            3.444,
            -3.389,
            1.434,
            -2.107,
            4.468,
            8.023,
            -4.606,
            -14.85,
            -1.353,
            0.104,
        ),
        (
            1.729,
            2.636,
            3.143,
            -0.502,
            -0.59,
            3.171,
            -0.486,
            2.585,
            -2.495,
            -2.059,
            -1.198,
            -2.164,
        ),
        (
            1.901,
            -0.756,
            -0.556,
            1.823,
            -4.899,
            -1.73,
            -2.021,
            -4.403,
            -0.808,
            4.22,
            0.288,
            1.02,
        ),
        (
            0.302,
            0.459,
            0.085,
            1.673,
            -4.513,
            2.986,
            -0.214,
            1.704,
            3.967,
            0.573,
            0.937,
            -0.153,
        ),
    ),
)
"""As solved by `fit_calibration` for the default instrument and population."""

# bulge fraction above which people see no disk: in galaxies that are little larger
# than the PSF, whose profile is all there is to see, and in well resolved ones; and
# how gradually that sets in
_NO_DISK = (0.35, 0.62, 0.10)
# the bulge that people see in a blob that is no larger than the PSF, where nobody can
# tell an exponential profile from a steeper one, the size (as of `Visible`) up to which
# they do, and the flatness
_BLOB = (0.9, 0.05, 0.35)
# bulge that people see, above which flatness is no sign of a disk
_FLAT = 0.75
# how far the boxes that a person ticks depend on the person, 0 to 1
_LENIENCY = 0.5


def visible_terms(visible):
    """
    Terms of the score by what can be seen.

    Parameters
    ----------
    visible : array_like
        What `Visible` lists, in its order along the last axis.

    Returns
    -------
    terms : `~numpy.ndarray`
        The ``TERMS`` along the last axis, each about 0 to 1.
    """
    visible = np.asarray(visible, float)
    (bulge, size, signal, flatness, asymmetry, structure, blend, artifact,
     saturation, star) = np.moveaxis(visible, -1, 0)  # fmt: skip
    resolved = expit((size + 0.2) / 0.12)
    seen = expit((signal - 0.55) / 0.2)
    lost = expit((0.25 - signal) / 0.08)
    # below the PSF nobody can tell how light is spread
    shape = expit((size + 0.38) / 0.08)
    # a small disk around a bulge makes the profile a little less steep, no more
    told = expit((size - 0.25) / 0.08)
    small, large, spread = _NO_DISK
    # how far a blob as wide as the PSF is taken for a bulge, whatever it is
    most, widest, flattest = _BLOB
    blob = expit((widest - size) / 0.08) * expit((flattest - flatness) / 0.05)
    bulge = np.where(star > 0, 0.0, bulge + (1 - bulge) * most * blob)
    profile = bulge ** (0.5 + 0.5 * told)
    terms = [
        profile,
        expit((small + (large - small) * told - bulge) / spread) * resolved,
        1 - resolved,
        # what is faint or small looks like a smooth blob
        (1 - seen * resolved) * (1 - flatness) * (1 - star),
        # ellipticals may be flat, too
        flatness * expit((_FLAT - profile) / 0.08),
        shape * np.tanh(asymmetry / 0.15),
        shape * np.tanh(structure / 0.1),
        1 - seen,
        np.maximum.reduce([artifact, np.tanh(blend / 2), lost]),
        star,
        saturation,
        expit((0.15 - size) / 0.12) * (1 - flatness) * (1 - star),
    ]
    return np.stack(terms, axis=-1)


def tick_chances(terms, calibration):
    """
    Chances that a person ticks each box at one look.

    Parameters
    ----------
    terms : `~numpy.ndarray`
        The ``TERMS``, shape (..., 12).
    calibration : `Calibration`

    Returns
    -------
    chances : `~numpy.ndarray`
        Shape (..., 5).
    """
    score = terms @ np.transpose(calibration.weights)
    return expit(np.array(calibration.intercept) + score)


def expected_fractions(chances):
    """
    Fractions of ticks of many persons who look again until they tick a box.

    Parameters
    ----------
    chances : `~numpy.ndarray`
        Chance of each box at one look, along the last axis.

    Returns
    -------
    fractions : `~numpy.ndarray`
        Of the same shape, with a sum of at least one.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation.votes import expected_fractions
    >>> expected_fractions(np.array([0.5, 0.5])).round(2)
    array([0.67, 0.67])
    """
    nothing = np.prod(1 - chances, axis=-1, keepdims=True)
    return np.minimum(chances / np.maximum(1 - nothing, 1e-12), 1.0)


def vote_fractions(truth, instrument, rms, random, calibration=None, visible=None):
    """
    Expected fractions of ticks for one simulated object.

    Parameters
    ----------
    truth : dict
        Parameters, as ``galmorph.simulation.population.draw_galaxy`` gives them.
    instrument : `Instrument`
    rms : float
        Standard deviation of the noise per pixel, in electrons per second.
    random : `numpy.random.Generator`
        For the structure, where ``visible`` is not given.
    calibration : `Calibration`, optional
        Constants of the classifiers, as `fit_calibration` gives them.
    visible : `Visible`, optional
        What can be seen of the object; where it is not given, the object is
        drawn alone to see it.

    Returns
    -------
    fractions : dict
        One number between 0 and 1 for each output of
        `~galmorph.core.CANDELS`.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation import WFC3_F160W, vote_fractions
    >>> from galmorph.simulation.population import draw_galaxy
    >>> random = np.random.default_rng(2)
    >>> star = draw_galaxy(random, "star") | {"magnitude": 19.0}
    >>> votes = vote_fractions(star, WFC3_F160W, 0.003, random)
    >>> max(votes, key=votes.get)
    'f_point_source'
    """
    if visible is None:
        visible = see(truth, instrument, rms, random)
    chances = tick_chances(
        visible_terms(visible),
        CALIBRATION if calibration is None else calibration,
    )
    fractions = expected_fractions(chances)
    return dict(zip(CANDELS.outputs, fractions.tolist(), strict=True))


def draw_votes(fractions, n_votes, random):
    """
    Fractions of votes as a number of classifiers would give them.

    The boxes are drawn one by one; `draw_ticks` draws whole persons.

    Parameters
    ----------
    fractions : array_like
        Expected fractions of ticks, any shape.
    n_votes : int or array_like of int
        Number of classifiers, of a shape that goes with ``fractions``.
    random : `numpy.random.Generator`

    Returns
    -------
    drawn : `~numpy.ndarray`
        Binomial draws over ``n_votes``, of the shape of ``fractions``.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation import draw_votes
    >>> draw_votes([0.0, 1.0], 5, np.random.default_rng(0))
    array([0., 1.])
    """
    return random.binomial(n_votes, fractions) / np.asarray(n_votes)


def draw_ticks(fractions, n_votes, random):
    """
    Boxes that persons tick, each of them at least one.

    A lenient person ticks more boxes than a strict one. Over many persons the
    shares of ticks are the expected fractions, exactly.

    Parameters
    ----------
    fractions : array_like
        Expected fractions of ticks, shape (..., k). Where they sum to less than
        one some persons tick nothing.
    n_votes : int
        Number of classifiers.
    random : `numpy.random.Generator`

    Returns
    -------
    ticks : `~numpy.ndarray`
        Array of shape (..., n_votes, k), bool.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation import draw_ticks
    >>> draw_ticks([0.5, 0.5, 0.0], 3, np.random.default_rng(0)).sum(axis=-1)
    array([1, 1, 1])
    """
    fractions = np.asarray(fractions, float)[..., None, :]
    total = fractions.sum(axis=-1, keepdims=True)
    # no strict person may be left with less than one box
    room = np.minimum(fractions, 1 - fractions)
    most = np.maximum(total - 1, 0) / np.maximum(room.sum(-1, keepdims=True), 1e-12)
    leniency = random.uniform(-1, 1, size=(*fractions.shape[:-2], n_votes, 1))
    own = fractions + leniency * np.minimum(_LENIENCY, most) * room
    chances, alone = _chances(own)
    drawn = random.random(own.shape)
    ticks = drawn < chances
    again = ~ticks.any(axis=-1)
    while again.any():
        # who ticked nothing looks again; where the fractions leave room for one
        # box only, that box is drawn at once
        single = _one_of(own[again], random)
        looked = random.random((int(again.sum()), own.shape[-1])) < chances[again]
        ticks[again] = np.where(alone[again], single, looked)
        again[again] = ~(ticks[again].any(axis=-1) | alone[again, 0])
    return ticks


def _chances(fractions):
    """Chances of the boxes for a person who looks again after ticking none."""
    total = fractions.sum(axis=-1, keepdims=True)
    alone = total < 1 + 1e-3
    low, high = np.zeros_like(total), np.ones_like(total)
    for _ in range(30):
        # share of looks that end with a tick, which the chances must bring about
        share = (low + high) / 2
        found = 1 - np.prod(1 - fractions * share, axis=-1, keepdims=True)
        more = found > share
        low, high = np.where(more, share, low), np.where(more, high, share)
    return np.where(alone, 0.0, fractions * low), alone


def _one_of(fractions, random):
    """One box of each row, or none by the chance that is left to one."""
    drawn = random.random((len(fractions), 1))
    above = np.cumsum(fractions, axis=-1)
    above /= np.maximum(above[:, -1:], 1)
    return (drawn < above) & (drawn >= above - fractions / np.maximum(above[:, -1:], 1))

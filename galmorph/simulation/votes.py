# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Virtual classifiers: what people would tick for a simulated galaxy.

The expected fraction of ticks of each class is a logistic function of a score,
and the score is made of what can be *seen*: structure counts by how far it is
resolved and stands out of the noise. A random term per galaxy and class stands
for what all classifiers of a galaxy see alike and the score does not know.
Intercepts and slopes are such that the simulated fractions have the means and
the spreads of those of Kartaltepe et al. (2015, ApJS 221, 11).
"""

import numpy as np
from scipy.optimize import least_squares
from scipy.special import expit

from galmorph.core import CANDELS
from galmorph.simulation.statistics import REAL_STATISTICS

__all__ = ["draw_votes", "fit_calibration", "vote_fractions"]

# standard deviation of the term that all classifiers of one galaxy share, in
# standard deviations of the score; it loosens spheroid from disk
_SHARED = {
    "f_spheroid": 0.9,
    "f_disk": 0.6,
    "f_irregular": 0.4,
    "f_point_source": 0.3,
    "f_unclassifiable": 0.2,
}

# intercept and slope of each class, solved by `fit_calibration` on 20,000 objects
_CALIBRATION = {
    "f_spheroid": (-1.477, 1.037),
    "f_disk": (1.475, 1.121),
    "f_irregular": (-3.027, 1.430),
    "f_point_source": (-4.043, 1.217),
    "f_unclassifiable": (-4.859, 1.518),
}


def _scores(truth, instrument, rms):
    """What can be seen of an object, as one number per class."""
    star = truth["kind"] == "star"
    fwhm = instrument.psf_fwhm
    radius = np.hypot(truth["half_light_radius"], fwhm / 2)
    flux = 10 ** (-0.4 * (truth["magnitude"] - instrument.zero_point))
    # signal and noise within the half-light radius, per resolution element
    elements = max((radius / (fwhm / 2)) ** 2, 1.0)
    pixels = np.pi * (fwhm / 2 / instrument.pixel_scale) ** 2
    noise = rms * instrument.noise_correlation * np.sqrt(pixels)
    snr = 0.5 * flux / elements / noise
    seen = expit((np.log10(snr) - 0.5) / 0.2)
    resolved = expit(
        (np.log10(max(truth["half_light_radius"], 1e-3) / fwhm) + 0.1) / 0.1
    )
    detail = seen * resolved

    bulge = truth["bulge_to_total"]
    disturbed = max(
        truth["companion"],
        0.8 * truth["lopsidedness"],
        1.1 * truth["clumpiness"],
    )
    flat = 1 - truth["axis_ratio"]
    smooth = 0.0 if star else bulge + 0.5 * (1 - detail) * (1 - flat)
    hidden = 1 - seen + truth["artifact"]
    return np.array(
        [
            2.5 * smooth
            - 1.7 * disturbed * detail
            - 0.8 * flat * resolved
            - 2.0 * hidden,
            2.1 * (1 - bulge) * resolved
            + 0.8 * flat * resolved
            + 0.8 * max(truth["spiral"], truth["ring"], truth["bar"]) * detail
            - 3.6 * disturbed * detail
            - 3.0 * (1 - resolved)
            - 1.5 * star
            - 3.0 * hidden,
            4.0 * disturbed * detail,
            3.0 * (1 - resolved) - 1.5 * flat * resolved + 1.5 * star - hidden,
            2.5 * (1 - seen) + 4.0 * truth["artifact"],
        ]
    )


def vote_fractions(truth, instrument, rms, random, calibration=None):
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
        For the term that the classifiers of one galaxy share.
    calibration : dict, optional
        Intercept and slope of each class, as `fit_calibration` gives them.

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
    calibration = _CALIBRATION if calibration is None else calibration
    scores = _scores(truth, instrument, rms)
    terms = random.normal(size=len(CANDELS.outputs))
    return {
        output: float(
            expit(
                calibration[output][0]
                + calibration[output][1] * (score + _SHARED[output] * term)
            )
        )
        for output, score, term in zip(CANDELS.outputs, scores, terms, strict=True)
    }


def draw_votes(fractions, n_votes, random):
    """
    Fractions of votes as a number of classifiers would give them.

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


def fit_calibration(truths, rms, instrument, seed=0):
    """
    Solve the intercepts and slopes of the classes for the real statistics.

    Parameters
    ----------
    truths : list of dict
        Parameters of many objects, of the population as it will be used.
    rms : array_like
        Standard deviation of the noise for each of them.
    instrument : `Instrument`
    seed : int, optional
        Seed of the terms that the classifiers of one galaxy share.

    Returns
    -------
    calibration : dict
        Intercept and slope for each output of `~galmorph.core.CANDELS`.
    """
    random = np.random.default_rng(seed)
    scores = np.array(
        [_scores(t, instrument, r) for t, r in zip(truths, rms, strict=True)]
    )
    scores += random.normal(size=scores.shape) * list(_SHARED.values())
    calibration = {}
    for column, output in zip(scores.T, CANDELS.outputs, strict=True):
        wanted = REAL_STATISTICS[output]

        def difference(parameters, column=column, wanted=wanted):
            fractions = expit(parameters[0] + parameters[1] * column)
            return fractions.mean() - wanted[0], fractions.std() - wanted[1]

        slope = 2 / column.std()
        start = [np.log(wanted[0] / (1 - wanted[0])) - slope * column.mean(), slope]
        solution = least_squares(difference, start).x
        calibration[output] = tuple(float(value) for value in solution)
    return calibration

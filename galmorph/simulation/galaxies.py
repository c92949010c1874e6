# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Simulated galaxies, one by one: cutouts or stamps with their vote fractions.
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.nddata import NDData
from astropy.table import QTable

from galmorph.core import CANDELS, ConfigurationError, import_optional
from galmorph.images import as_nddata, cutout_from_image
from galmorph.simulation.cameras import get_instrument
from galmorph.simulation.display import DISPLAYS, draw_display
from galmorph.simulation.domains import DOMAINS
from galmorph.simulation.instruments import WFC3_F160W, Instrument
from galmorph.simulation.population import KINDS
from galmorph.simulation.scenes import make_scene
from galmorph.simulation.truths import as_truth_table, random_of
from galmorph.simulation.votes import draw_ticks

__all__ = ["SimulatedGalaxies", "simulate_galaxies", "simulate_stamps"]

_CHUNK = 64


@dataclass
class SimulatedGalaxies:
    """
    Cutouts of simulated galaxies and what is true of them.

    Parameters
    ----------
    cutouts : list of `~astropy.nddata.NDData`
        Images in electrons per second, of various sizes, with the galaxy near
        the middle.
    table : `~astropy.table.QTable`
        Vote fractions and truths, one row for each cutout.

    Examples
    --------
    >>> from galmorph.simulation import simulate_galaxies
    >>> len(simulate_galaxies(2, seed=1).cutouts)
    2
    """

    cutouts: list
    table: QTable


@dataclass(frozen=True)
class _Recipe:
    """What a galaxy depends on, but for its number."""

    seed: int
    instruments: tuple
    n_votes: int | None
    kinds: dict | None
    display: str | None
    display_share: float


def _simulate_one(recipe, index):
    random = random_of(recipe.seed, index)
    cameras = recipe.instruments
    # one camera takes no random number, so that its galaxies stay what they were
    camera = cameras[random.integers(len(cameras)) if len(cameras) > 1 else 0]
    scene = make_scene(random, camera, recipe.kinds)
    row = {"index": index, **scene.truth}
    if recipe.n_votes is not None:
        fractions = [row[name] for name in CANDELS.outputs]
        ticks = draw_ticks(fractions, recipe.n_votes, random).mean(axis=0)
        row |= dict(zip(CANDELS.outputs, ticks, strict=True))
    image, scale = scene.image, scene.instrument.pixel_scale
    if recipe.display is None:
        return as_nddata(NDData(image, unit=u.electron / u.s), pixel_scale=scale), row
    row["display"] = ""
    if random.random() < recipe.display_share:
        row["display"] = recipe.display
        radius = row["half_light_radius"] / scale
        radius = (radius**2 + (row["psf_fwhm"] / scale / 2) ** 2) ** 0.5
        display = draw_display(random, recipe.display)
        image, zoom = display.save(image, row["sky_rms"], radius)
        image, scale = image.astype(np.float32), scale / zoom
        row["pixel_scale"] = scale
    return as_nddata(image, pixel_scale=scale), row


def check_instrument(instrument):
    """The instrument, by its name too, or the default where it is `None`."""
    instrument = WFC3_F160W if instrument is None else instrument
    if isinstance(instrument, str):
        instrument = get_instrument(instrument)
    if not isinstance(instrument, Instrument):
        raise ConfigurationError(
            f"instrument: expected an Instrument, found {type(instrument).__name__}"
        )
    return instrument


def _check_instruments(instrument):
    """One or several cameras, or names of what they are drawn from."""
    several = isinstance(instrument, (list, tuple))
    if several and not instrument:
        raise ConfigurationError("instrument: found none in the sequence")
    return tuple(
        each if isinstance(each, str) and each in DOMAINS else check_instrument(each)
        for each in (instrument if several else (instrument,))
    )


def _check(n, seed, instrument, n_votes, kinds, display, display_share):
    if not n >= 0:
        raise ConfigurationError(f"n: found {n!r}; it must be 0 or more")
    if n_votes is not None and not n_votes > 0:
        raise ConfigurationError(
            f"n_votes: found {n_votes!r}; give 1 or more, or None for expected"
            " fractions"
        )
    if kinds is not None:
        good = kinds and set(kinds) <= set(KINDS)
        if not good or min(kinds.values()) < 0 or not sum(kinds.values()) > 0:
            raise ConfigurationError(
                f"kinds: found {kinds!r}; give shares of {', '.join(KINDS)}"
            )
    if display is not None and display not in DISPLAYS:
        raise ConfigurationError(
            f"display: found {display!r}; there are {', '.join(DISPLAYS)}"
        )
    if not 0 <= display_share <= 1:
        raise ConfigurationError(
            f"display_share: found {display_share!r}; it is a share from 0 to 1"
        )
    cameras = _check_instruments(instrument)
    return _Recipe(seed, cameras, n_votes, kinds, display, display_share)


def simulate_galaxies(
    n,
    *,
    seed,
    instrument=None,
    first=0,
    n_votes=None,
    kinds=None,
    display=None,
    display_share=1.0,
    n_workers=1,
    progress=None,
):
    """
    Simulate galaxies with the fractions of votes that people would give them.

    Parameters
    ----------
    n : int
        Number of galaxies.
    seed : int
        Galaxy ``i`` of a seed is always the same, whatever ``n``, ``first``
        and ``n_workers``.
    instrument : `Instrument`, str or sequence of these, optional
        A camera or its name in `INSTRUMENTS`; `WFC3_F160W` where it is not
        given. A name of ``DOMAINS`` draws a camera, and galaxies of any size and
        brightness in it, anew for each galaxy: ``"random"`` any, ``"jwst"`` and
        ``"nearby"`` of one kind. Of several, each galaxy gets one.
    first : int, optional
        Number of the first galaxy.
    n_votes : int, optional
        Number of classifiers whose votes are drawn; where it is not given the
        fractions are those expected of infinitely many.
    kinds : dict, optional
        Shares of the kinds of objects: ``{"star": 1}`` for stars alone. As in
        CANDELS where it is not given.
    display : str, optional
        Save images in 8 bits, to be looked at, in a way that `draw_display`
        draws for each galaxy; linear pixels where it is not given.
    display_share : float, optional
        Share of the galaxies for which that is done.
    n_workers : int, optional
        Number of processes.
    progress : callable, optional
        Called with the number of galaxies done so far.

    Returns
    -------
    galaxies : `SimulatedGalaxies`

    Raises
    ------
    ConfigurationError
        If an argument is out of its range.
    MissingDependencyError
        If GalSim is not installed.

    Examples
    --------
    >>> from galmorph.simulation import simulate_galaxies
    >>> galaxies = simulate_galaxies(3, seed=7)
    >>> galaxies.table["magnitude"].unit
    Unit("mag")
    >>> bool((galaxies.table["f_disk"] <= 1).all())
    True
    """
    recipe = _check(n, seed, instrument, n_votes, kinds, display, display_share)
    jobs = [(recipe, indices) for indices in _chunks(first, n, _CHUNK)]
    cutouts, rows = [], []
    for images, truths in _in_order(_galaxies_of, jobs, n_workers):
        cutouts += images
        rows += truths
        if progress is not None:
            progress(len(rows))
    return SimulatedGalaxies(cutouts, as_truth_table(rows))


def _chunks(first, n, size):
    """Numbers of the galaxies, some at a time."""
    return [range(i, min(i + size, first + n)) for i in range(first, first + n, size)]


def _galaxies_of(job):
    recipe, indices = job
    made = [_simulate_one(recipe, index) for index in indices]
    return [image for image, _ in made], [row for _, row in made]


def _stamps_of(job):
    *job, preprocessor = job
    images, rows = _galaxies_of(job)
    stamps = preprocessor([cutout_from_image(image) for image in images])
    return stamps.data, stamps.flags, rows


def simulate_stamps(
    n,
    *,
    seed,
    preprocessor,
    instrument=None,
    first=0,
    n_votes=None,
    kinds=None,
    display=None,
    display_share=1.0,
    n_workers=None,
    progress=None,
):
    """
    Simulate galaxies and preprocess them, in several processes.

    Parameters
    ----------
    n : int
        Number of galaxies.
    seed : int
        Galaxy ``i`` of a seed is always the same, whatever the number of
        processes.
    preprocessor : `~galmorph.images.Preprocessor`
        Makes the stamps.
    instrument : `Instrument`, str or sequence of these, optional
        A camera or its name in `INSTRUMENTS`; `WFC3_F160W` where it is not
        given. A name of ``DOMAINS`` draws a camera, and galaxies of any size and
        brightness in it, anew for each galaxy: ``"random"`` any, ``"jwst"`` and
        ``"nearby"`` of one kind. Of several, each galaxy gets one.
    first : int, optional
        Number of the first galaxy.
    n_votes : int, optional
        Number of classifiers whose votes are drawn; where it is not given the
        fractions are those expected of infinitely many.
    kinds : dict, optional
        Shares of the kinds of objects: ``{"star": 1}`` for stars alone. As in
        CANDELS where it is not given.
    display : str, optional
        Save images in 8 bits, to be looked at, in a way that `draw_display`
        draws for each galaxy; linear pixels where it is not given.
    display_share : float, optional
        Share of the galaxies for which that is done.
    n_workers : int, optional
        Number of processes; all cores where it is not given.
    progress : callable, optional
        Called with the number of galaxies done so far.

    Returns
    -------
    stamps : `~numpy.ndarray`
        Array of shape (n, side, side, 1), float32.
    table : `~astropy.table.QTable`
        Vote fractions, truths and ``morph_flags``, n rows.

    Raises
    ------
    ConfigurationError
        If an argument is out of its range.
    MissingDependencyError
        If GalSim is not installed.

    Examples
    --------
    >>> from galmorph import Preprocessor
    >>> from galmorph.simulation import simulate_stamps
    >>> stamps, table = simulate_stamps(
    ...     2, seed=7, preprocessor=Preprocessor(), n_workers=1
    ... )
    >>> stamps.shape, len(table)
    ((2, 45, 45, 1), 2)
    """
    recipe = _check(n, seed, instrument, n_votes, kinds, display, display_share)
    n_workers = n_workers or os.cpu_count() or 1
    jobs = [(recipe, indices, preprocessor) for indices in _chunks(first, n, _CHUNK)]
    side = preprocessor.shape + preprocessor.margin
    data = np.zeros((n, side, side, 1), np.float32)
    flags, rows = np.zeros(n, np.int32), []
    for stamps, bits, truths in _in_order(_stamps_of, jobs, n_workers):
        data[len(rows) : len(rows) + len(stamps)] = stamps
        flags[len(rows) : len(rows) + len(stamps)] = bits
        rows += truths
        if progress is not None:
            progress(len(rows))
    table = as_truth_table(rows)
    table["morph_flags"] = flags
    return data, table


def _in_order(function, jobs, n_workers):
    if n_workers == 1 or len(jobs) <= 1:
        yield from map(function, jobs)
        return
    # a forked child of a process with threads, as TensorFlow has, may hang
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_workers, context, _use_one_thread) as pool:
        with _one_thread_each():
            results = pool.map(function, jobs)
        yield from results


@contextmanager
def _one_thread_each():
    """
    Let processes that start meanwhile multiply matrices in one thread each.

    Many threads of many processes would fight for the cores; NumPy's libraries
    read these variables when they are loaded.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _use_one_thread():
    """The same for GalSim, which has threads of its own."""
    import_optional("galsim", "sim").set_omp_threads(1)

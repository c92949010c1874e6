# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Simulated galaxies, one by one: cutouts or stamps with their vote fractions.
"""

import math
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
from galmorph.simulation.defects import add_blend, add_defect
from galmorph.simulation.instruments import WFC3_F160W, Instrument
from galmorph.simulation.population import draw_galaxy, draw_neighbour
from galmorph.simulation.rendering import add_object, object_side, render
from galmorph.simulation.visibility import see
from galmorph.simulation.votes import draw_ticks, vote_fractions

__all__ = ["SimulatedGalaxies", "simulate_galaxies", "simulate_stamps"]

_UNITS = {
    "magnitude": u.mag,
    "half_light_radius": u.arcsec,
    "position_angle": u.deg,
    "sky_rms": u.electron / u.s,
}
_DESCRIPTIONS = {
    "index": "Number of the galaxy within its seed",
    "kind": "Kind of object",
    "magnitude": "AB magnitude",
    "half_light_radius": "Half-light radius along the major axis",
    "bulge_to_total": "Fraction of the light in the bulge",
    "sersic_n": "Sersic index of the bulge",
    "axis_ratio": "Axis ratio of the light",
    "position_angle": "Position angle of the major axis, from x to y",
    "spiral": "Amplitude of spiral arms",
    "ring": "Strength of the ring",
    "bar": "Strength of the bar",
    "clumpiness": "Strength of clumps",
    "lopsidedness": "Amplitude of lopsidedness",
    "dust": "Strength of a lane of dust",
    "companion": "Flux of a merging companion over that of the galaxy",
    "third": "Flux of a third merging galaxy over that of the galaxy",
    "tail": "Strength of a tidal tail",
    "artifact": "Strength of an artifact",
    "saturation": "Part of a star's peak that is cut off",
    "defect": "Kind of artifact",
    "depth": "Kind of survey",
    "sky_rms": "Standard deviation of the noise per pixel",
    "seen_size": "Logarithm of the half-light radius over the PSF's FWHM",
    "seen_signal": "Logarithm of the signal-to-noise ratio of a resolution element",
    "seen_asymmetry": "Share of the light that is asymmetric above the noise",
    "seen_structure": "Share of the light in other structure above the noise",
    "seen_blend": "Light of other objects over that of the object, close to it",
}
# galaxies brighter than H = 27 per square arcsecond, about those of the XDF, and
# by how much fewer they are in the logarithm for each magnitude brighter
_NEIGHBOURS, _SLOPE = 0.06, 0.26
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


def random_of(seed, index):
    """The random numbers of one object."""
    # by its own number, so that a galaxy is the same in every chunk
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))


def draw_depth(random, instrument):
    """A kind of survey and the noise of a pixel in it."""
    names, times, shares = zip(*instrument.depths, strict=True)
    which = random.choice(len(names), p=shares)
    return names[which], instrument.sky_rms(times[which] * random.lognormal(0, 0.4))


def add_noise(image, instrument, rms, random):
    """Noise of the sky and of the photons of the objects themselves."""
    time = instrument.exposure_time(rms)
    image = image.astype(np.float32)
    photons = np.sqrt(np.maximum(image, 0) / np.float32(time))
    photons *= random.standard_normal(image.shape, dtype=np.float32)
    return image + photons + instrument.noise(image.shape, rms, random)


def _simulate_one(seed, index, instrument, n_votes):
    random = random_of(seed, index)
    truth = draw_galaxy(random, magnitudes=instrument.magnitudes)
    depth, rms = draw_depth(random, instrument)
    scale = instrument.pixel_scale
    side = object_side(truth, instrument)
    x, y = (side - 1) / 2 + random.normal(scale=0.7, size=2)

    own = render(truth, instrument, side, x, y, random)
    others = np.zeros_like(own)
    clear = max(0.8 * truth["half_light_radius"], 0.4) / scale
    density = _NEIGHBOURS * 10 ** (_SLOPE * (instrument.magnitudes[1] - 25))
    for _ in range(random.poisson(density * (side * scale) ** 2)):
        neighbour = draw_neighbour(random, instrument.magnitudes)
        x2, y2 = random.uniform(0, side, size=2)
        if math.hypot(x2 - x, y2 - y) > clear + neighbour["half_light_radius"] / scale:
            add_object(others, neighbour, instrument, x2, y2, random)
    if truth["defect"] == "blend":
        add_blend(others, truth, instrument, x, y, random)
    image = add_noise(own + others, instrument, rms, random)
    if truth["defect"]:
        image = add_defect(image, truth["defect"], instrument, x, y, rms, random)

    visible = see(truth, instrument, rms, random, own, (x, y), others)
    fractions = vote_fractions(truth, instrument, rms, random, visible=visible)
    if n_votes is not None:
        ticks = draw_ticks(list(fractions.values()), n_votes, random)
        fractions = dict(zip(fractions, ticks.mean(axis=0), strict=True))
    row = {"index": index, **fractions, **truth, "depth": depth, "sky_rms": rms}
    return image.astype(np.float32), row | seen_columns(visible)


def seen_columns(visible):
    """What can be seen, as columns of the table of truths."""
    names = ("size", "signal", "asymmetry", "structure", "blend")
    return {f"seen_{name}": getattr(visible, name) for name in names}


def as_truth_table(rows):
    """Vote fractions and truths of many objects as a table."""
    names = ["index", *CANDELS.outputs, *list(_DESCRIPTIONS)[1:]]
    table = QTable()
    for name in names:
        if rows and name not in rows[0]:
            continue
        values = [row[name] for row in rows]
        if name in CANDELS.outputs:
            column = np.array(values, dtype=np.float32)
        elif name in ("kind", "defect", "depth"):
            column = np.array(values, dtype="U16")
        else:
            column = np.array(values, dtype=int if name == "index" else float)
        table[name] = column * _UNITS[name] if name in _UNITS else column
        described = _DESCRIPTIONS.get(name)
        table[name].info.description = described or CANDELS.describe(name)
    return table


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


def _check_numbers(n, n_votes):
    if not n >= 0:
        raise ConfigurationError(f"n: found {n!r}; it must be 0 or more")
    if n_votes is not None and not n_votes > 0:
        raise ConfigurationError(
            f"n_votes: found {n_votes!r}; give 1 or more, or None for expected"
            " fractions"
        )


def simulate_galaxies(
    n,
    *,
    seed,
    instrument=None,
    first=0,
    n_votes=None,
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
    instrument : `Instrument` or str, optional
        A camera or its name in `INSTRUMENTS`; `WFC3_F160W` where it is not
        given.
    first : int, optional
        Number of the first galaxy.
    n_votes : int, optional
        Number of classifiers whose votes are drawn; where it is not given the
        fractions are those expected of infinitely many.
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
    instrument = check_instrument(instrument)
    _check_numbers(n, n_votes)
    jobs = [
        (seed, indices, instrument, n_votes) for indices in _chunks(first, n, _CHUNK)
    ]
    cutouts, rows = [], []
    for images, truths in _in_order(_galaxies_of, jobs, n_workers):
        cutouts += [_as_image(image, instrument) for image in images]
        rows += truths
        if progress is not None:
            progress(len(rows))
    return SimulatedGalaxies(cutouts, as_truth_table(rows))


def _chunks(first, n, size):
    """Numbers of the galaxies, some at a time."""
    return [range(i, min(i + size, first + n)) for i in range(first, first + n, size)]


def _galaxies_of(job):
    seed, indices, instrument, n_votes = job
    made = [_simulate_one(seed, index, instrument, n_votes) for index in indices]
    return [image for image, _ in made], [row for _, row in made]


def _as_image(image, instrument):
    return as_nddata(
        NDData(image, unit=u.electron / u.s), pixel_scale=instrument.pixel_scale
    )


def _stamps_of(job):
    *job, preprocessor = job
    images, rows = _galaxies_of(job)
    instrument = job[2]
    cutouts = [cutout_from_image(_as_image(image, instrument)) for image in images]
    stamps = preprocessor(cutouts)
    return stamps.data, stamps.flags, rows


def simulate_stamps(
    n,
    *,
    seed,
    preprocessor,
    instrument=None,
    first=0,
    n_votes=None,
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
    instrument : `Instrument` or str, optional
        A camera or its name in `INSTRUMENTS`; `WFC3_F160W` where it is not
        given.
    first : int, optional
        Number of the first galaxy.
    n_votes : int, optional
        Number of classifiers whose votes are drawn; where it is not given the
        fractions are those expected of infinitely many.
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
    instrument = check_instrument(instrument)
    _check_numbers(n, n_votes)
    n_workers = n_workers or os.cpu_count() or 1
    jobs = [
        (seed, indices, instrument, n_votes, preprocessor)
        for indices in _chunks(first, n, _CHUNK)
    ]
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

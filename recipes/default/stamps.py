# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Stamps of all sets, made once and kept.

A set is kept under a name with the hash of its settings: what has changed in the
configuration is made anew, what has not is not.
"""

import hashlib
import json
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from astropy.stats import mad_std
from astropy.table import Table
from outliers import outlier

from galmorph.core import GalmorphError
from galmorph.simulation import draw_redshifted, simulate_stamps
from galmorph.tables import read_table, write_table
from galmorph.training import as_stamps

__all__ = ["outliers", "peaks", "pictures", "redshifted", "simulated"]

_CHUNK = 100


def simulated(name, config, preprocessor, side, folder, *, n_workers, **changes):
    """
    Stamps of simulated galaxies, and the table of their truths.

    Parameters
    ----------
    name : str
        Of the set, for its files.
    config : dict
        Parameters of `~galmorph.simulation.simulate_stamps`.
    preprocessor : `~galmorph.images.Preprocessor`
    side : int
        Of the stamps.
    folder : `~pathlib.Path`
        Where sets are kept.
    n_workers : int
        Number of processes.
    **changes
        Parameters instead of those of the configuration.

    Returns
    -------
    stamps : `~numpy.ndarray`
        Shape (n, side, side, 1), float16.
    table : `~astropy.table.Table`
        With ``morph_flags``.
    """
    config = {**config, **changes}

    def make():
        return simulate_stamps(
            preprocessor=preprocessor.with_margin(side), n_workers=n_workers, **config
        )

    return _kept(name, [config, preprocessor.to_dict(), side], folder, make)


def pictures(name, path, preprocessor, side, folder, *, n_workers):
    """
    Stamps of the images in an ``.npz`` file.

    Parameters
    ----------
    name, preprocessor, side, folder, n_workers
        As of `simulated`.
    path : `~pathlib.Path`
        File with the array ``images``.

    Returns
    -------
    stamps, table
        As of `simulated`.
    """
    images = _images(path)
    work = partial(_stamps_of, preprocessor=preprocessor, side=side)

    def make():
        return _in_parallel(work, _chunks(images), n_workers)

    return _kept(name, [_hash(images), preprocessor.to_dict(), side], folder, make)


def redshifted(name, path, config, preprocessor, side, folder, *, n_workers):
    """
    Stamps of galaxies as a camera would see them far away.

    Parameters
    ----------
    name, path, preprocessor, side, folder, n_workers
        As of `pictures`.
    config : dict
        ``copies`` of each galaxy, ``levels`` of the stretch to undo, and ``seed``.

    Returns
    -------
    stamps, table
        As of `simulated`; all galaxies once, then all for a second time...
    """
    images = _images(path)
    work = partial(
        _far_stamps_of, levels=config["levels"], preprocessor=preprocessor, side=side
    )

    def make():
        chunks = _chunks(np.concatenate([images] * config["copies"]))
        seeds = np.random.SeedSequence(config["seed"]).spawn(len(chunks))
        return _in_parallel(work, list(zip(chunks, seeds, strict=True)), n_workers)

    key = [_hash(images), config, preprocessor.to_dict(), side]
    return _kept(name, key, folder, make)


def peaks(stamps, border=10, middle=12):
    """
    How far the brightest pixel in the middle stands out of the noise at the border.

    Parameters
    ----------
    stamps : `~numpy.ndarray`
        Shape (n, side, side, 1).
    border, middle : int, optional
        Rows at the upper and lower border, and pixels across the middle.

    Returns
    -------
    peaks : `~numpy.ndarray`
        Shape (n,), in standard deviations of the noise.
    """
    rows = np.concatenate([stamps[:, :border], stamps[:, -border:]], axis=1)
    rows = rows.reshape(len(stamps), -1).astype(np.float32)
    sky = np.median(rows, axis=1)
    noise = mad_std(rows, axis=1)
    first = (stamps.shape[1] - middle) // 2
    inner = stamps[:, first : first + middle, first : first + middle]
    return (inner.max(axis=(1, 2, 3)) - sky) / np.maximum(noise, 1e-6)


def outliers(name, config, preprocessor, side, folder, *, n_workers):
    """
    Stamps of images that are no galaxies.

    Parameters
    ----------
    name, preprocessor, side, folder, n_workers
        As of `simulated`.
    config : dict
        Their number ``n`` and ``seed``.

    Returns
    -------
    stamps, table
        As of `simulated`.
    """
    work = partial(_outliers_of, preprocessor=preprocessor, side=side)

    def make():
        seeds = np.random.SeedSequence(config["seed"]).spawn(config["n"] // _CHUNK)
        return _in_parallel(work, seeds, n_workers)

    return _kept(name, [config, preprocessor.to_dict(), side], folder, make)


def _kept(name, key, folder, make):
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    stem = folder / f"{name}-{digest[:12]}"
    stamps, labels = stem.with_suffix(".npy"), stem.with_suffix(".ecsv")
    if not stamps.exists():
        data, table = make()
        write_table(table, labels, overwrite=True)
        part = stem.with_suffix(".part")
        with open(part, "wb") as file:
            np.save(file, data.astype(np.float16))
        os.replace(part, stamps)
    return np.load(stamps), read_table(labels)


def _images(path):
    with np.load(path) as saved:
        return saved["images"]


def _hash(images):
    return hashlib.sha256(np.ascontiguousarray(images)).hexdigest()


def _chunks(images):
    return [images[first : first + _CHUNK] for first in range(0, len(images), _CHUNK)]


def _in_parallel(work, parts, n_workers):
    with ProcessPoolExecutor(n_workers) as pool:
        done = list(pool.map(work, parts))
    table = Table({"morph_flags": np.concatenate([flags for _, flags in done])})
    return np.concatenate([data for data, _ in done]), table


def _stamps_of(images, preprocessor, side):
    stamps = as_stamps(images, preprocessor, side)
    return stamps.data, stamps.flags


def _outliers_of(seed, preprocessor, side):
    random = np.random.default_rng(seed)
    images = [outlier(random) for _ in range(_CHUNK)]
    return _stamps_of(images, preprocessor, side)


def _far_stamps_of(part, levels, preprocessor, side):
    images, seed = part
    random = np.random.default_rng(seed)
    far = []
    for image in images:
        try:
            far.append(draw_redshifted(image, random, levels=levels))
        except GalmorphError as error:
            far.append(error)
    return _stamps_of(far, preprocessor, side)

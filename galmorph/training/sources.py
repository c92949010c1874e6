# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The ways to labelled stamps: simulations, arrays, cutouts, mosaics.
"""

import json
import os

import numpy as np

from galmorph.core import ConfigurationError
from galmorph.tables import read_table, write_table

__all__ = ["load"]

_CACHE, _TABLE = "data.npz", "data.ecsv"


def load(config, folder, resume, say):
    """
    Make or read the stamps and labels of a run.

    What took long is kept in the folder of the run, so that a run that was
    interrupted does not do it again.

    Parameters
    ----------
    config : `RunConfig`
    folder : `~pathlib.Path`
        Folder of the run.
    resume : bool
        Whether to take what an interrupted run has left there.
    say : callable
        Called with lines of text on what has been done.

    Returns
    -------
    data : dict
        Arguments of `train` that say what it learns from: ``data``, ``source``
        and, where there are such, ``groups``, ``votes`` and ``test_rows``.

    Raises
    ------
    ConfigurationError
        If the data to resume with were made with other settings.
    MissingDependencyError
        If GalSim is needed and not installed.
    """
    made_from = json.dumps([config.data.record(), config.preprocessor.to_dict()])
    cache, table_path = folder / _CACHE, folder / _TABLE
    if resume and cache.exists():
        with np.load(cache, allow_pickle=False) as saved:
            if str(saved["made_from"]) != made_from:
                raise ConfigurationError(
                    f"{cache}: was made with other settings; they must be the same to"
                    " resume"
                )
            stamps = saved["stamps"]
        table = read_table(table_path)
    else:
        stamps, table = _simulated(config, say)
        folder.mkdir(parents=True, exist_ok=True)
        write_table(table, table_path, overwrite=True)
        # the last to be written: where it is, the table is complete too
        part = cache.with_suffix(".part")
        with open(part, "wb") as file:
            np.savez(file, stamps=stamps, made_from=np.array(made_from))
        os.replace(part, cache)
    return {"data": (stamps, table), "source": config.data.record()}


def _simulated(config, say):
    from galmorph.simulation import simulate_stamps

    data = config.data

    def report(done):
        if done == data.n or done % 1024 == 0:
            say(f"simulated {done} of {data.n} galaxies")

    return simulate_stamps(
        data.n,
        seed=data.seed,
        preprocessor=config.preprocessor.with_margin(data.side),
        n_workers=data.n_workers or None,
        progress=report,
    )

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Runs that are killed at random times, and go on.

``GALMORPH_TEST_KILLS`` is the number of kills of each kind of run, 10 where it is
not set.
"""

import multiprocessing
import os
import random
import time

import numpy as np
import pytest

from galmorph import MorphologyClassifier
from galmorph.scale import Tile, annotate, annotating
from galmorph.tables import read_table

KILLS = int(os.environ.get("GALMORPH_TEST_KILLS", 10))
MOST_SECONDS = 6.0

pytestmark = pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(),
    reason="processes are started anew, which takes long",
)


def run(catalog, folder, out, bundle, n_workers):
    """What is killed: chunks of 30 rows in parts of 10."""
    annotating.CHUNK_ROWS, annotating.PART_ROWS = 30, 10
    annotate(
        catalog,
        Tile(folder / "mosaic_sci.fits", rms=folder / "mosaic_rms.fits"),
        out,
        classifier=MorphologyClassifier.from_file(bundle),
        n_workers=n_workers,
    )


@pytest.fixture(scope="module")
def processes():
    """Processes that have imported the network, but not used it, when they start."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["keras", "galmorph.models.inference", __name__])
    return context


def finished(process, seconds):
    """Whether a process ends by itself, and well; else it is killed."""
    process.start()
    process.join(seconds)
    killed = process.is_alive()
    process.kill()
    process.join()
    assert killed or process.exitcode == 0
    return not killed


def same(one, other):
    assert one.colnames == other.colnames and one.meta == other.meta
    for name in one.colnames:
        np.testing.assert_array_equal(np.asarray(one[name]), np.asarray(other[name]))


@pytest.mark.parametrize("detected", [False, True])
def test_a_run_that_is_killed_goes_on_to_the_same_table(
    catalog, files, bundle, processes, detected, tmp_path
):
    catalog = None if detected else catalog
    seed = int(time.time())
    print(f"seed {seed}")
    random.seed(seed)
    whole = tmp_path / "whole.fits"
    start = time.monotonic()
    arguments = catalog, files, whole, bundle, 0
    assert finished(processes.Process(target=run, args=arguments), None)
    seconds = min(1.2 * (time.monotonic() - start), MOST_SECONDS)
    expected, kills, runs = read_table(whole), 0, 0
    while kills < KILLS:
        out = tmp_path / f"out{runs}.fits"
        arguments = catalog, files, out, bundle, runs % 2
        limit = seconds
        while not finished(
            processes.Process(target=run, args=arguments),
            random.uniform(0, limit) if kills < KILLS else None,
        ):
            kills += 1
            if out.exists() and not out.with_name(f"{out.name}.parts").exists():
                break  # killed when all was done
            # on a machine that has become slow it would never come to the end
            limit *= 1.1
        same(read_table(out), expected)
        assert not list(tmp_path.glob("*.parts"))
        runs += 1

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What partitions cost on a Dask cluster, for the plan of a large survey.

A simulated field at 60 mas is repeated into tiles, each with its catalogue as a
partition in Parquet. For each number of tiles and of workers a cluster of processes on
this machine is started, and `galmorph.scale.annotate_partitions` is run. One row is
printed: galaxies, seconds, seconds of processor time of all workers with their start,
the most memory of a worker, processor time of the scheduler and the client together;
then the processor time of each stage for a million galaxies. The last line has the cost
without the start, from the smallest and the largest run with one worker.

    python benchmarks/many_machines.py --tiles 2 6 --workers 1 2
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS

STAGES = ("reading", "preprocessing", "network", "writing")


def write_tiles(folder, field, n_tiles, repeats):
    """Tiles side by side on the sky, each with a partition of its own."""
    from galmorph.tables import write_table

    side = field.image.data.shape[0]
    shifts = side * np.indices((repeats, repeats)).reshape(2, -1, 1)
    x = (field.catalog["x_centroid"] + shifts[1]).ravel()
    y = (field.catalog["y_centroid"] + shifts[0]).ravel()
    for number in range(n_tiles):
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.crval = [53.1 + number, -27.8]
        wcs.wcs.crpix = [side * repeats / 2] * 2
        wcs.wcs.cdelt = [-0.06 / 3600, 0.06 / 3600]
        for name, pixels in (
            ("sci", field.image.data),
            ("rms", field.image.uncertainty.array),
        ):
            data = np.tile(pixels.astype(np.float32), (repeats, repeats))
            path = folder / f"tile-{number}_{name}.fits"
            fits.PrimaryHDU(data, wcs.to_header()).writeto(path)
        sky = wcs.pixel_to_world(x, y)
        catalog = QTable({"id": np.arange(len(x)) + number * len(x)})
        catalog["ra"], catalog["dec"] = sky.ra, sky.dec
        order = np.random.default_rng(number).permutation(len(x))
        write_table(catalog[order], folder / f"part-{number}.parquet")


def used():
    """Processor time of this process, and the most memory that it had, in MiB."""
    return time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def run(folder, n_tiles, n_workers, classifier):
    """What it costs to annotate some of the tiles, in a cluster of their own."""
    import distributed

    from galmorph.scale import Tile, annotate_partitions

    tiles = [
        Tile(folder / f"tile-{n}_sci.fits", rms=folder / f"tile-{n}_rms.fits")
        for n in range(n_tiles)
    ]
    with (
        distributed.LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            dashboard_address=None,
            memory_limit=None,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        began, mine = time.monotonic(), time.process_time()
        summary = annotate_partitions(
            [folder / f"part-{number}.parquet" for number in range(n_tiles)],
            tiles,
            folder / f"out-{n_tiles}-{n_workers}",
            classifier=classifier,
            client=client,
        )
        seconds, mine = time.monotonic() - began, time.process_time() - mine
        workers = client.run(used).values()
    return {
        "rows": summary.rows,
        "seconds": seconds,
        "processor": sum(spent for spent, _ in workers),
        "memory": max(memory for _, memory in workers),
        "main": mine,
        **summary.stages,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--tiles", type=int, nargs="+", default=[2, 6])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--field", type=int, default=2000, help="side of the field")
    parser.add_argument("--repeats", type=int, default=2, help="on a side of a tile")
    parser.add_argument("--rms", type=float, default=0.0053, help="noise; CANDELS Wide")
    parser.add_argument("--model", help="bundle; by default the default model")
    parser.add_argument(
        "--preprocessing", default="{}", help="settings of the preprocessing, as JSON"
    )
    options = parser.parse_args()
    from galmorph import MorphologyClassifier, Preprocessor
    from galmorph.simulation import simulate_field

    if options.model is None:
        classifier = MorphologyClassifier()
    else:
        classifier = MorphologyClassifier.from_file(options.model)
    if settings := json.loads(options.preprocessing):
        # of the shape that the network reads
        classifier._preprocessor = Preprocessor(**settings)
    field = simulate_field((options.field,) * 2, seed=1, rms=options.rms)
    print(f"{len(os.sched_getaffinity(0))} processors, {classifier}")
    print(
        " tiles workers galaxies seconds workers' s  MiB main s"
        f"{''.join(f'{name:>14s}' for name in STAGES)}  s / 10^6"
    )
    alone = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_tiles(folder, field, max(options.tiles), options.repeats)
        for n_workers in options.workers:
            for n_tiles in options.tiles:
                cost = run(folder, n_tiles, n_workers, classifier)
                if n_workers == 1:
                    alone[n_tiles] = cost
                million = 1e6 / cost["rows"]
                print(
                    f"{n_tiles:6d} {n_workers:7d} {cost['rows']:8,d}"
                    f" {cost['seconds']:7.1f} {cost['processor']:10.1f}"
                    f" {cost['memory']:4d} {cost['main']:6.2f}"
                    f"{''.join(f'{cost[name] * million:14.0f}' for name in STAGES)}",
                    flush=True,
                )
    if len(alone) > 1:
        first, last = alone[min(alone)], alone[max(alone)]
        each = last["processor"] - first["processor"]
        each /= last["rows"] - first["rows"]
        start = first["processor"] - each * first["rows"]
        print(f"{each * 1e6:.0f} s for a million galaxies, and {start:.1f} s to start")


if __name__ == "__main__":
    main()

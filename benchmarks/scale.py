# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Galaxies per second, and memory, from a mosaic on disk to a table on disk.

A field at 60 mas is simulated and repeated until the mosaics have the sides that are
asked for; with its catalogue, in random order, it is annotated by a model and, with
``--preprocessing``, by other settings of the preprocessing. For each size one row is
printed: galaxies, seconds, galaxies per second, galaxies per second of processor time
- of all, with the start of the processes, and of each stage - and the most memory of
the main process and of one worker. Time has to grow linearly, memory must not grow.

    python benchmarks/scale.py --sides 4000 10000 20000 --workers 2
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS

STAGES = ("reading", "preprocessing", "network", "writing")


def write_mosaic(folder, field, repeats):
    """Image, noise and catalogue of a field that is repeated on both axes."""
    from galmorph.tables import write_table

    side = field.image.data.shape[0]
    n = side * repeats
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [53.1, -27.8]
    wcs.wcs.crpix = [n / 2, n / 2]
    wcs.wcs.cdelt = [-0.06 / 3600, 0.06 / 3600]
    for name, pixels in (
        ("sci", field.image.data),
        ("rms", field.image.uncertainty.array),
    ):
        header = fits.Header({"SIMPLE": True, "BITPIX": -32, "NAXIS": 2})
        header["NAXIS1"] = header["NAXIS2"] = n
        header.update(wcs.to_header())
        rows = np.tile(pixels.astype(">f4"), (1, repeats))
        with fits.StreamingHDU(folder / f"{name}.fits", header) as hdu:
            for _ in range(repeats):
                hdu.write(rows)
    shifts = side * np.indices((repeats, repeats)).reshape(2, -1, 1)
    x = (field.catalog["x_centroid"] + shifts[1]).ravel()
    y = (field.catalog["y_centroid"] + shifts[0]).ravel()
    catalog = QTable({"id": np.arange(len(x)), "sky": wcs.pixel_to_world(x, y)})
    order = np.random.default_rng(1).permutation(len(catalog))
    write_table(catalog[order], folder / "catalog.fits")
    return len(catalog)


def watch(memory, stop):
    """Note the most memory of this process and of its children, in MiB."""
    while not stop.wait(0.05):
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                text = status.read_text()
            except OSError:
                continue
            values = dict(line.split(":", 1) for line in text.splitlines())
            kind = None
            if int(values["Pid"]) == os.getpid():
                kind = "main"
            elif int(values["PPid"]) == os.getpid():
                kind = "worker"
            if kind and "VmHWM" in values:
                found = int(values["VmHWM"].split()[0]) // 1024
                memory[kind] = max(memory.get(kind, 0), found)


def run(folder, workers, model, settings):
    """Annotate, and print what it cost as JSON; in a process of its own."""
    from galmorph import MorphologyClassifier, Preprocessor
    from galmorph.scale import Tile, annotate

    if model is None:
        classifier = MorphologyClassifier()
    else:
        classifier = MorphologyClassifier.from_file(model)
    if settings:
        # of the shape that the network reads
        classifier._preprocessor = Preprocessor(**settings)
    memory, stop = {}, threading.Event()
    watcher = threading.Thread(target=watch, args=(memory, stop))
    watcher.start()
    try:
        summary = annotate(
            folder / "catalog.fits",
            Tile(folder / "sci.fits", rms=folder / "rms.fits"),
            folder / "out.fits",
            classifier=classifier,
            n_workers=workers,
            overwrite=True,
        )
    finally:
        stop.set()
        watcher.join()
    used = [
        resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    spent = sum(each.ru_utime + each.ru_stime for each in used)
    rates = {name: summary.rates.get(name) for name in STAGES}
    print(
        json.dumps(
            {
                "rows": summary.rows,
                "seconds": summary.seconds,
                "processor": spent,
                **rates,
                **memory,
            }
        )
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[4000, 10000])
    parser.add_argument("--field", type=int, default=2000, help="side of the field")
    parser.add_argument("--rms", type=float, default=0.0053, help="noise; CANDELS Wide")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", help="bundle; by default the default model")
    parser.add_argument(
        "--preprocessing", default="{}", help="settings of the preprocessing, as JSON"
    )
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder is not None:
        settings = json.loads(options.preprocessing)
        run(options.folder, options.workers, options.model, settings)
        return
    from galmorph.simulation import simulate_field

    field = simulate_field((options.field,) * 2, seed=1, rms=options.rms)
    print("   side   galaxies  seconds  /s      galaxies / s of the processor")
    print(
        f"{'':36s}  all{''.join(f'{name:>14s}' for name in STAGES)}  main  worker MiB"
    )
    for side in options.sides:
        with tempfile.TemporaryDirectory() as folder:
            write_mosaic(Path(folder), field, max(side // options.field, 1))
            done = subprocess.run(
                [sys.executable, *sys.argv, "--folder", folder],
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
        cost = json.loads(done.stdout.splitlines()[-1])
        rates = "".join(f"{cost[name] or np.nan:14.0f}" for name in STAGES)
        n, seconds = cost["rows"], cost["seconds"]
        print(
            f"{side:7d} {n:10,d} {seconds:8.1f} {n / seconds:5.0f}"
            f" {cost['rows'] / cost['processor']:6.0f}{rates}"
            f" {cost['main']:5d} {cost.get('worker', 0):6d}"
        )


if __name__ == "__main__":
    main()

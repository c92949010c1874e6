# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
galmorph beside its peers, on the same mosaic and the same galaxies, in one run.

A simulated mosaic with a noise map is written to disk with its catalogue, and then

- galmorph annotates the catalogue: cuts, segments, centres, resamples, classifies;
- Cutana cuts squares of 64 pixels into Zarr, and no more;
- photutils, for some of the galaxies, one by one: Cutout2D, background, detect_sources,
  SourceCatalog for the centroid;
- statmorph, for some of them, given photutils' segmentation;
- ConvNeXt-nano (the encoder of Zoobot) sees images of 224 pixels, and galmorph's
  network its stamps.

Each is a process of its own, the start of which counts for the first two; the peers
are installed into the environment --env when it is not there. Times are of the clock.

    python benchmarks/peers.py --env runs/peers/env --side 8000 --workers 2
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import numpy as np

PACKAGES = ["cutana==0.4.0", "statmorph==0.7.2", "photutils", "timm", "torch"]
SIZE = 64


def cutana(folder, options):
    from cutana import Orchestrator, get_default_config

    config = get_default_config()
    config.source_catalogue = str(folder / "cutana.csv")
    config.output_dir = str(folder / "cutana")
    config.output_format = "zarr"
    config.target_resolution = SIZE
    config.selected_extensions = [{"name": "PRIMARY", "ext": "PRIMARY"}]
    config.channel_weights = {"PRIMARY": [1.0]}
    config.apply_flux_conversion = False
    config.max_workers = options.workers
    config.console_log_level = "ERROR"
    start = time.monotonic()
    Orchestrator(config).run()
    return options.n, time.monotonic() - start


def galmorph(folder, options):
    from galmorph import MorphologyClassifier
    from galmorph.scale import Tile, annotate

    start = time.monotonic()
    summary = annotate(
        folder / "catalog.fits",
        Tile(folder / "sci.fits", rms=folder / "rms.fits"),
        folder / "out.fits",
        classifier=MorphologyClassifier(),
        n_workers=options.workers,
        overwrite=True,
    )
    return summary.rows, time.monotonic() - start


def windows(folder, n):
    """Cutouts of the first galaxies, with what photutils finds in each."""
    from astropy.io import fits
    from astropy.nddata import Cutout2D
    from astropy.stats import sigma_clipped_stats
    from photutils.segmentation import SourceCatalog, detect_sources

    places = np.load(folder / "places.npy")[:n]
    with fits.open(folder / "sci.fits") as sci, fits.open(folder / "rms.fits") as rms:
        for x, y in places:
            data = Cutout2D(
                sci[0].data, (x, y), SIZE, mode="partial", fill_value=0
            ).data
            noise = Cutout2D(
                rms[0].data, (x, y), SIZE, mode="partial", fill_value=1
            ).data
            _, level, spread = sigma_clipped_stats(data)
            data = data - level
            segments = detect_sources(data, 1.5 * spread, n_pixels=5)
            if segments is None:
                continue
            catalog = SourceCatalog(data, segments)
            nearest = np.argmin(
                np.hypot(
                    np.atleast_1d(catalog.x_centroid) - SIZE / 2,
                    np.atleast_1d(catalog.y_centroid) - SIZE / 2,
                )
            )
            yield data, noise, segments, int(np.atleast_1d(catalog.labels)[nearest])


def photutils(folder, options):
    start = time.monotonic()
    for _ in windows(folder, options.few):
        pass
    return options.few, time.monotonic() - start


def statmorph(folder, options):
    import warnings

    import statmorph as peer

    found = list(windows(folder, options.few // 10))
    start = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for data, noise, segments, label in found:
            peer.SourceMorphology(data, segments, label, weightmap=noise)
    return len(found), time.monotonic() - start


def convnext(folder, options):
    import timm
    import torch

    torch.set_num_threads(options.workers)
    network = timm.create_model("convnext_nano", num_classes=34).eval()
    images = torch.randn(16, 3, 224, 224)
    with torch.inference_mode():
        network(images)
        start = time.monotonic()
        for _ in range(4):
            network(images)
    return 64, time.monotonic() - start


def network(folder, options):
    from galmorph import MorphologyClassifier

    classifier = MorphologyClassifier()
    predictor, shape = classifier.predictor, classifier.preprocessor.shape
    images = np.random.default_rng(1).random((2048, shape, shape, 1), np.float32)
    predictor.predict(images)
    start = time.monotonic()
    predictor.predict(images)
    return len(images), time.monotonic() - start


WAYS = {
    "galmorph": (galmorph, "mosaic and catalogue -> table"),
    "cutana": (cutana, "mosaic and catalogue -> cutouts"),
    "photutils": (photutils, "cutout, segmentation, centroid one by one"),
    "statmorph": (statmorph, "parameters of a given segment"),
    "network": (network, "galmorph's network alone"),
    "convnext": (convnext, "ConvNeXt-nano at 224 pixels"),
}
OURS = ("galmorph", "network")


def write_inputs(folder, options):
    from astropy.table import Table
    from scale import write_mosaic

    from galmorph.simulation import simulate_field
    from galmorph.tables import read_table

    field = simulate_field((options.field,) * 2, seed=1, rms=options.rms)
    write_mosaic(folder, field, max(options.side // options.field, 1))
    catalog = read_table(folder / "catalog.fits")
    Table(
        {
            "SourceID": [f"g{i}" for i in range(len(catalog))],
            "RA": catalog["sky"].ra.deg,
            "Dec": catalog["sky"].dec.deg,
            "diameter_pixel": [SIZE] * len(catalog),
            "fits_file_paths": [json.dumps([str(folder / "sci.fits")])] * len(catalog),
        }
    ).write(folder / "cutana.csv")
    from astropy.io import fits
    from astropy.wcs import WCS

    wcs = WCS(fits.getheader(folder / "sci.fits"))
    x, y = wcs.world_to_pixel(catalog["sky"])
    np.save(folder / "places.npy", np.transpose([x, y]))
    return len(catalog)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--env", type=Path, default=Path("runs/peers/env"))
    parser.add_argument("--side", type=int, default=8000)
    parser.add_argument("--field", type=int, default=2000, help="side of the field")
    parser.add_argument("--rms", type=float, default=0.0053, help="noise; CANDELS Wide")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--few", type=int, default=300, help="galaxies one by one")
    parser.add_argument("--only", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--n", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder is not None:
        work, _ = WAYS[options.only[0]]
        print(json.dumps(work(options.folder, options)))
        return
    python = options.env.resolve() / "bin" / "python"
    if not python.exists():
        venv.create(options.env, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n = write_inputs(folder, options)
        print(f"{n:,} galaxies, {options.side} x {options.side} pixels")
        print("             galaxies  seconds  galaxies/s  what")
        for way in options.only:
            words = ["--folder", name, "--only", way, "--n", n, "--few", options.few]
            words += ["--workers", options.workers]
            done = subprocess.run(
                [sys.executable if way in OURS else python, __file__, *map(str, words)],
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            number, seconds = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{way:12s} {number:8,d} {seconds:8.1f} {number / seconds:11,.1f}"
                f"  {WAYS[way][1]}",
                flush=True,
            )


if __name__ == "__main__":
    main()

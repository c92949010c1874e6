# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
galmorph beside its peers, on the same mosaic and the same galaxies, in one run.

A simulated mosaic with a noise map is written to disk with its catalogue, and then

- galmorph annotates the catalogue: cuts, segments, centres, resamples, classifies;
- Cutana cuts squares of 64 pixels into Zarr, and no more; those are counted;
- photutils, for some of the galaxies, one by one: Cutout2D, background, detect_sources,
  SourceCatalog for the centroid;
- statmorph, for a tenth of them, given photutils' segmentation;
- galmorph's network sees its stamps, and ConvNeXt-nano (the encoder of Zoobot) images
  of 224 pixels.

Each is a process of its own, one after the other. The start of the workers counts for
the first two, the imports for none. The peers are installed into the environment
--env when it is not there. Prints one table: the clock, the time of the processors
(of all processes, which other work on the machine changes less), and how many times
as fast galmorph is by either.

    python benchmarks/peers.py --env runs/peers/env --side 8000 --workers 2
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import numpy as np

SIZE = 64
PACKAGES = (
    "cutana==0.4.0",
    "statmorph==0.7.2",
    "photutils==3.0.0",
    "timm==1.0.31",
    "torch",
    "torchvision",
)


class Watch:
    """Seconds of the clock and of the processors, with those of ended children."""

    def __enter__(self):
        self._start = time.monotonic(), self._processors()
        return self

    def __exit__(self, *exception):
        clock, processors = self._start
        self.seconds = time.monotonic() - clock
        self.processors = self._processors() - processors

    @staticmethod
    def _processors():
        own, children = (
            resource.getrusage(who)
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def galmorph(folder, options):
    """All of the way from the mosaic to the table."""
    from galmorph import MorphologyClassifier
    from galmorph.scale import Tile, annotate

    classifier = MorphologyClassifier()
    classifier.predictor  # noqa: B018 - the network is loaded at first use
    with Watch() as watch:
        summary = annotate(
            folder / "catalog.fits",
            Tile(folder / "sci.fits", rms=folder / "rms.fits"),
            folder / "out.fits",
            classifier=classifier,
            n_workers=options.workers,
            overwrite=True,
        )
    return summary.classified, watch


def cutana(folder, options):
    """Squares of 64 pixels into Zarr, counted afterwards."""
    from cutana import Orchestrator, get_default_config

    config = get_default_config()
    config.source_catalogue = str(folder / "cutana.csv")
    config.output_dir = str(folder / "cutana")
    config.target_resolution = SIZE
    config.selected_extensions = [{"name": "PRIMARY", "ext": "PrimaryHDU"}]
    config.channel_weights = {"PRIMARY": [1.0]}
    config.apply_flux_conversion = False
    config.max_workers = options.workers
    # as fast as it can: all workers from the start, memory not measured first
    config.loadbalancer.initial_workers = options.workers
    config.loadbalancer.skip_memory_calibration_wait = True
    config.console_log_level = "ERROR"
    with Watch() as watch:
        Orchestrator(config).run()
    return written(folder / "cutana"), watch


def written(folder):
    """Number of cutouts in the Zarr stores of a folder that hold any light."""
    import zarr

    n = 0
    for store in folder.rglob("images.zarr"):
        images = zarr.open(store, mode="r")["images"]
        n += sum(
            np.count_nonzero(np.ptp(images[i : i + 1000], axis=(1, 2, 3)))
            for i in range(0, images.shape[0], 1000)
        )
    return n


def windows(folder, n):
    """Cutouts of the first galaxies, with what photutils finds in each."""
    from astropy.io import fits
    from photutils.segmentation import SourceCatalog, detect_sources

    places = np.load(folder / "places.npy")[:n]
    with fits.open(folder / "sci.fits") as sci, fits.open(folder / "rms.fits") as rms:
        for place in places:
            data = square(sci[0].data, place, 0)
            noise = square(rms[0].data, place, 1)
            data, spread = without_sky(data)
            segments = detect_sources(data, 1.5 * spread, n_pixels=5)
            if segments is None:
                continue
            catalog = SourceCatalog(data, segments)
            x, y = np.atleast_1d(catalog.x_centroid), np.atleast_1d(catalog.y_centroid)
            nearest = np.argmin(np.hypot(x - SIZE / 2, y - SIZE / 2))
            yield data, noise, segments, int(np.atleast_1d(catalog.labels)[nearest])


def square(image, place, fill):
    """A cutout that is not of the file any more."""
    from astropy.nddata import Cutout2D

    cutout = Cutout2D(image, place, SIZE, mode="partial", fill_value=fill, copy=True)
    return cutout.data.astype(float)


def without_sky(data):
    """The pixels less their sky, and its standard deviation."""
    from astropy.stats import sigma_clipped_stats

    _, level, spread = sigma_clipped_stats(data)
    return data - level, spread


def photutils(folder, options):
    """One galaxy after the other."""
    import photutils.segmentation  # noqa: F401

    with Watch() as watch:
        for _ in windows(folder, options.few):
            pass
    return options.few, watch


def statmorph(folder, options):
    """Its parameters of what photutils found."""
    import warnings

    import statmorph as peer

    found = list(windows(folder, max(options.few // 10, 1)))
    with warnings.catch_warnings(), Watch() as watch:
        warnings.simplefilter("ignore")
        for data, noise, segments, label in found:
            peer.SourceMorphology(data, segments, label, weightmap=noise)
    return len(found), watch


def network(folder, options):
    """galmorph's network on stamps that are ready."""
    from galmorph import MorphologyClassifier

    classifier = MorphologyClassifier()
    predictor, shape = classifier.predictor, classifier.preprocessor.shape
    images = np.random.default_rng(1).random((2048, shape, shape, 1), np.float32)
    predictor.predict(images[: predictor.rows])
    with Watch() as watch:
        predictor.predict(images)
    return len(images), watch


def convnext(folder, options):
    """The encoder of Zoobot, with random weights: they do not change its speed."""
    import timm
    import torch

    torch.set_num_threads(options.workers)
    encoder = timm.create_model("convnext_nano", num_classes=34).eval()
    images = torch.randn(16, 3, 224, 224)
    with torch.inference_mode():
        encoder(images)
        with Watch() as watch:
            for _ in range(4):
                encoder(images)
    return 4 * len(images), watch


# what it does, and which of ours it is compared with
WAYS = {
    galmorph: ("mosaic, catalogue -> table", None),
    cutana: ("mosaic, catalogue -> cutouts", galmorph),
    photutils: ("cutout, segments, centroid one by one", galmorph),
    statmorph: ("parameters of a given segment", galmorph),
    network: ("galmorph's network alone", None),
    convnext: ("ConvNeXt-nano at 224 pixels", network),
}
NAMES = {way.__name__: way for way in WAYS}


def write_inputs(folder, options):
    """Mosaic, noise, and the catalogue as each of them reads it."""
    from astropy.io import fits
    from astropy.table import Table
    from astropy.wcs import WCS
    from scale import write_mosaic

    from galmorph.simulation import simulate_field
    from galmorph.tables import read_table

    field = simulate_field((options.field,) * 2, seed=1, rms=options.rms)
    n = write_mosaic(folder, field, max(options.side // options.field, 1))
    sky = read_table(folder / "catalog.fits")["sky"]
    table = Table({"SourceID": [f"g{i}" for i in range(n)]})
    table["RA"], table["Dec"] = sky.ra.deg, sky.dec.deg
    table["diameter_pixel"] = SIZE
    table["fits_file_paths"] = json.dumps([str(folder / "sci.fits")])
    table.write(folder / "cutana.csv")
    places = WCS(fits.getheader(folder / "sci.fits")).world_to_pixel(sky)
    np.save(folder / "places.npy", np.transpose(places))
    return n


def install(env):
    """Make the peers' environment where it is not there, and give its Python."""
    python = env.resolve() / "bin" / "python"
    if not python.exists():
        venv.create(env, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    return python


def run(way, python, folder, options):
    """Galaxies, seconds and seconds of the processors, from a new process."""
    words = [python, __file__, "--folder", folder, "--only", way.__name__]
    words += ["--few", options.few, "--workers", options.workers]
    done = subprocess.run(
        [str(word) for word in words],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--env", type=Path, default=Path("runs/peers/env"))
    parser.add_argument("--side", type=int, default=8000)
    parser.add_argument("--field", type=int, default=2000, help="side of the field")
    parser.add_argument("--rms", type=float, default=0.0053, help="noise; CANDELS Wide")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--few", type=int, default=300, help="galaxies one by one")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    ways = [NAMES[name] for name in options.only]
    if options.folder is not None:
        n, watch = ways[0](options.folder, options)
        print(json.dumps([int(n), watch.seconds, watch.processors]))
        return
    python = install(options.env)
    rates = {}
    with tempfile.TemporaryDirectory() as name:
        n = write_inputs(Path(name), options)
        print(f"{n:,} galaxies, {options.side} x {options.side} pixels")
        print(f"{'':24s}per second of   galmorph / it by")
        print("           galaxies   clock  processors   clock  processors")
        for way in ways:
            what, ours = WAYS[way]
            n, *spent = run(way, sys.executable if not ours else python, name, options)
            rates[way] = n / np.array(spent)
            ratios = (
                [f"{r:8.1f}" for r in rates[ours] / rates[way]] if ours in rates else ""
            )
            line = (
                f"{way.__name__:10s}{n:9,d}{rates[way][0]:8,.0f}{rates[way][1]:12,.0f}"
            )
            print(f"{line}{'    '.join(ratios):24s}  {what}", flush=True)


if __name__ == "__main__":
    main()

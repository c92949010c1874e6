# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Detection of the sources of a mosaic: galmorph's ways beside photutils' serial one.

The same simulated mosaic on disk is searched, each time in a process of its own, by

- photutils as its documentation does it: Background2D, convolution, detect_sources,
  deblend_sources, SourceCatalog and its table (`--deblend none` leaves the deblending
  out everywhere);
- galmorph.images.detect_sources, whole image in memory;
- galmorph.scale.detect_parts, in this process and with workers.

Printed are sources, seconds, megapixels a second, the ratio to photutils, and the most
memory of the main process and of a worker.

    python benchmarks/detection.py --sides 2000 4000 8000 --workers 2
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from astropy.io import fits
from scale import watch, write_mosaic

WAYS = ("photutils", "detect_sources", "detect_parts", "detect_parts, workers")
# what detect_sources measures, by photutils' names
COLUMNS = [
    "label", "x_centroid", "y_centroid", "area", "semimajor_axis", "semiminor_axis",
    "orientation", "ellipticity", "segment_flux", "segment_flux_err", "kron_flux",
    "kron_flux_err", "kron_radius", "bbox_xmin", "bbox_xmax", "bbox_ymin", "bbox_ymax",
]  # fmt: skip


def by_photutils(folder, deblend):
    """The steps of photutils' user guide, with the settings of galmorph."""
    from astropy.convolution import convolve_fft
    from photutils.background import Background2D
    from photutils.segmentation import (
        SourceCatalog,
        deblend_sources,
        detect_sources,
        make_2dgaussian_kernel,
    )

    from galmorph.images import DetectionConfig

    config = DetectionConfig()
    data = fits.getdata(folder / "sci.fits").astype(float)
    error = fits.getdata(folder / "rms.fits").astype(float)
    background = Background2D(data, config.box_size, filter_size=config.filter_size)
    data -= background.background
    kernel = make_2dgaussian_kernel(config.smoothing_fwhm, size=9)
    convolved = convolve_fft(data, kernel, allow_huge=True)
    # threshold in units of the noise of the smoothed image, as galmorph's
    smoothed = Background2D(convolved, config.box_size).background_rms
    segments = detect_sources(
        convolved, config.n_sigma * smoothed, n_pixels=config.n_pixels
    )
    if deblend:
        segments = deblend_sources(
            convolved,
            segments,
            n_pixels=config.n_pixels,
            n_levels=config.n_levels,
            contrast=config.contrast,
            progress_bar=False,
        )
    catalog = SourceCatalog(data, segments, error=error, convolved_data=convolved)
    table = catalog.to_table(columns=COLUMNS)
    catalog.flux_radius(0.5)
    return len(table)


def by_galmorph(folder, deblend, way, workers):
    from galmorph.images import DetectionConfig, detect_sources
    from galmorph.scale import Tile, detect_parts, open_tile

    config = DetectionConfig(deblend=deblend)
    tile = Tile(folder / "sci.fits", rms=folder / "rms.fits")
    if way == "detect_sources":
        with open_tile(tile) as opened:
            return len(detect_sources(opened.read(), config).catalog)
    n_workers = workers if way.endswith("workers") else 0
    return sum(
        len(part.catalog) for part in detect_parts(tile, config, n_workers=n_workers)
    )


def run(options):
    """Search in one way, and print what it cost as JSON; in a process of its own."""
    memory, stop = {}, threading.Event()
    watcher = threading.Thread(target=watch, args=(memory, stop))
    watcher.start()
    deblend = options.deblend != "none"
    try:
        start = time.monotonic()
        if options.way == "photutils":
            n = by_photutils(options.folder, deblend)
        else:
            n = by_galmorph(options.folder, deblend, options.way, options.workers)
        seconds = time.monotonic() - start
    finally:
        stop.set()
        watcher.join()
    print(json.dumps({"sources": n, "seconds": seconds, **memory}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[2000, 4000])
    parser.add_argument("--field", type=int, default=2000, help="side of the field")
    parser.add_argument("--rms", type=float, default=0.0053, help="noise; CANDELS Wide")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--deblend", choices=["all", "none"], default="all")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way is not None:
        run(options)
        return
    from galmorph.simulation import simulate_field

    field = simulate_field((options.field,) * 2, seed=1, rms=options.rms)
    print(
        " side  way                    sources  seconds  Mpix/s ratio  main  worker MiB"
    )
    for side in options.sides:
        with tempfile.TemporaryDirectory() as folder:
            write_mosaic(Path(folder), field, max(side // options.field, 1))
            first = None
            for way in WAYS:
                done = subprocess.run(
                    [sys.executable, *sys.argv, "--folder", folder, "--way", way],
                    stdout=subprocess.PIPE,
                    check=True,
                    text=True,
                )
                cost = json.loads(done.stdout.splitlines()[-1])
                seconds = cost["seconds"]
                first = seconds if first is None else first
                print(
                    f"{side:5d}  {way:21s} {cost['sources']:8,d} {seconds:8.1f}"
                    f" {side**2 / 1e6 / seconds:7.2f} {first / seconds:6.1f}"
                    f" {cost['main']:5d} {cost.get('worker', 0):6d}",
                    flush=True,
                )


if __name__ == "__main__":
    main()

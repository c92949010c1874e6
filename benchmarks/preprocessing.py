# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Galaxies per second from a mosaic to stamps, by stage, beside photutils one by one.

A field at 60 mas is simulated with its catalogue. The stages of the preprocessing
are timed on it - cutting, measuring (sky, segmentation, centring, Petrosian
radius), resampling - with the segmentation given and without; then photutils does
what it can of each for one galaxy after the other, in the same run: Cutout2D,
detect_sources and deblend_sources in the window, the centroid, and a zoom by
scipy. Times are those of the processor. Prints one table.

    python benchmarks/preprocessing.py --side 4000
"""

import argparse
import time
import warnings
from collections import defaultdict

import numpy as np
from astropy.nddata import Cutout2D
from astropy.stats import sigma_clipped_stats
from astropy.utils.exceptions import AstropyWarning
from photutils.centroids import centroid_com
from photutils.segmentation import deblend_sources, detect_sources
from scipy import ndimage

from galmorph import Preprocessor
from galmorph.images import preprocessing
from galmorph.simulation import simulate_field

SMOOTHING = 3.0 / np.sqrt(8 * np.log(2))
STAGES = {
    "cutting": ("cutting",),
    "sky, segments, centre, size": ("stack_cutouts", "measure_targets"),
    "flags": ("quality_flags",),
    "neighbours, resampling, stretch": ("render_stamps",),
}


class Clock:
    """Processor time by the name of what was done."""

    def __init__(self):
        self.spent = defaultdict(float)

    def timed(self, name, function):
        """The function, with its time added to that of its name."""

        def wrapper(*args, **options):
            start = time.process_time()
            try:
                return function(*args, **options)
            finally:
                self.spent[name] += time.process_time() - start

        return wrapper


def our_times(field, preprocessor, segmentation):
    """Seconds of each stage, of all, and the number of windows that grew."""
    clock, catalog = Clock(), field.catalog
    names = ("stack_cutouts", "measure_targets", "quality_flags", "render_stamps")
    before = {name: getattr(preprocessing, name) for name in names}
    for name, function in before.items():
        setattr(preprocessing, name, clock.timed(name, function))
    labels = None if segmentation is None else catalog["label"]
    try:
        start = time.process_time()
        cutouts = preprocessor.cutouts(
            field.image,
            catalog["x_centroid"],
            catalog["y_centroid"],
            segmentation=segmentation,
            labels=labels,
        )
        cutouts = clock.timed("cutting", list)(cutouts)
        stamps = preprocessor(cutouts)
        total = time.process_time() - start
    finally:
        for name, function in before.items():
            setattr(preprocessing, name, function)
    spent = {
        stage: sum(clock.spent[part] for part in parts)
        for stage, parts in STAGES.items()
    }
    return {**spent, "all": total}, stamps


def one_by_one(field, preprocessor, sides, segmentation):
    """The same stages by photutils and scipy, for one galaxy after the other."""
    clock = Clock()
    catalog, image = field.catalog, field.image
    positions = zip(catalog["x_centroid"], catalog["y_centroid"], sides, strict=True)
    cut, measure, flags, resample = STAGES
    start = time.process_time()
    for x, y, side in positions:
        size = preprocessor.window
        cutout = clock.timed(cut, Cutout2D)(
            image.data, (x, y), size, mode="partial", fill_value=0
        )
        segments = None
        if segmentation is not None:
            segments = clock.timed(cut, Cutout2D)(
                segmentation, (x, y), size, mode="partial", fill_value=0
            ).data
        plane, center = clock.timed(measure, _measure)(cutout, segments)
        clock.timed(resample, _zoom)(plane, center, side, preprocessor.shape)
    total = time.process_time() - start
    return {**{stage: clock.spent[stage] for stage in STAGES}, "all": total}


def _measure(cutout, segments):
    x, y = cutout.input_position_cutout
    _, sky, rms = sigma_clipped_stats(cutout.data)
    plane = (cutout.data - sky) / rms
    if segments is None:
        smooth = ndimage.gaussian_filter(plane, SMOOTHING)
        segments = detect_sources(smooth, 1.5, 5)
        if segments is None:
            return plane, (x, y)
        segments = deblend_sources(
            smooth, segments, 5, contrast=0.05, progress_bar=False
        ).data
    label = segments[
        min(int(y + 0.5), len(plane) - 1), min(int(x + 0.5), len(plane) - 1)
    ]
    if label:
        own = segments == label
        found = centroid_com(np.where(own & (plane > 0), plane, 0))
        x, y = found if np.isfinite(found).all() else (x, y)
    return plane, (x, y)


def _zoom(plane, center, side, shape):
    """Bilinear, which skips pixels where those of the stamp are larger."""
    steps = (np.arange(shape) - (shape - 1) / 2) * side / shape
    grid = np.meshgrid(center[1] + steps, center[0] + steps, indexing="ij")
    return np.arcsinh(ndimage.map_coordinates(plane, grid, order=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--side", type=int, default=4000, help="pixels of the mosaic")
    parser.add_argument("--rms", type=float, default=0.0053, help="noise; CANDELS Wide")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--peers", type=int, default=300, help="galaxies that photutils is timed on"
    )
    options = parser.parse_args()
    warnings.simplefilter("ignore", AstropyWarning)

    shape = (options.side, options.side)
    field = simulate_field(shape, seed=options.seed, rms=options.rms)
    preprocessor = Preprocessor()
    # what is loaded at first use is not what is timed
    few = field.catalog[:20]
    preprocessor(
        preprocessor.cutouts(field.image, few["x_centroid"], few["y_centroid"])
    )
    n, some = len(field.catalog), min(options.peers, len(field.catalog))
    print(f"{n} galaxies on {shape[0]} x {shape[1]} pixels, noise {options.rms:g}")
    for title, segmentation in (
        ("segmentation of each window", None),
        ("segmentation given", field.segmentation),
    ):
        ours, stamps = our_times(field, preprocessor, segmentation)
        sides = stamps.measurements["stamp_side"].value
        sides = np.where(np.isfinite(sides), sides, preprocessor.default_side)
        first = type(field)(field.image, field.segmentation, field.catalog[:some])
        theirs = one_by_one(first, preprocessor, sides[:some], segmentation)
        grew = np.mean(sides > preprocessor.window)
        print(f"\n{title} ({grew:.0%} of the stamps are larger than a window)")
        print(f"{'':34s}{'galmorph':>10s}{'photutils':>11s}{'ratio':>8s}")
        print(f"{'':34s}{'galaxies / s':>10s}{'':>9s}")
        for stage in ours:
            speed = n / max(ours[stage], 1e-9)
            line = f"{stage:34s}{speed:10.0f}"
            if theirs[stage]:
                peer = some / theirs[stage]
                line += f"{peer:11.0f}{speed / peer:8.1f}"
            print(line)


if __name__ == "__main__":
    main()

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Parameters of statmorph, and random forests on them.

Makes a Python environment with statmorph and scikit-learn below --out, measures the
galaxies of all sets (a random part of the large ones) and 3000 simulated ones to
learn from, trains the forest, and writes what it predicts for ``--baseline``::

    nice -n 15 python benchmarks/development/measure_baseline.py --out runs/development

Each galaxy takes some tenths of a second. What is measured is kept; started again,
it goes on. All sets advance together, so that the forest can be trained at any time
with ``--train``.

Preparation follows statmorph's documentation (Rodriguez-Gomez et al. 2019, MNRAS 483,
4140): the image less its clipped median, smoothed by a Gaussian, photutils' sources
above 1.5 standard deviations, of which the one in the middle counts, its outline
regularised, others masked; the weight map is the sky's standard deviation. Linear
images have their own pixels, and pictures those of the picture.
"""

import argparse
import csv
import os
import subprocess
import sys
import time
import venv
import warnings
from pathlib import Path

import numpy as np

# galaxies that are measured of each set
NUMBERS = {
    "baseline_training": 3000,
    "sdss": 700,
    "ceers": 600,
    "simulated": 600,
    "cameras": 280,
    "stretched": 300,
    "point_sources": 400,
    "candels": 6,
    "fields": 17,
}
PARAMETERS = (
    "concentration",
    "asymmetry",
    "smoothness",
    "gini",
    "m20",
    "gini_m20_bulge",
    "gini_m20_merger",
    "multimode",
    "intensity",
    "deviation",
    "outer_asymmetry",
    "shape_asymmetry",
    "sersic_n",
    "sersic_ellip",
    "sersic_rhalf",
    "ellipticity_asymmetry",
    "ellipticity_centroid",
    "rpetro_circ",
    "rpetro_ellip",
    "rhalf_circ",
    "rhalf_ellip",
    "r20",
    "r50",
    "r80",
    "rmax_circ",
    "sn_per_pixel",
    "flag",
    "flag_sersic",
)
# sizes count relative to each other, and one of them in pixels
SIZES = tuple(p for p in PARAMETERS if p.startswith("r") or p == "sersic_rhalf")
OTHERS = ("area", "touching", "residual", "peak_to_sky", "n_peaks")


def prepared(image, x, y):
    """Image without sky, outline of the object, mask, noise, and its area."""
    from astropy.stats import sigma_clipped_stats
    from photutils.segmentation import detect_sources
    from scipy import ndimage

    bad = ~np.isfinite(image)
    whole = image.dtype.kind == "u"
    _, sky, rms = sigma_clipped_stats(image[~bad], sigma=3.0)
    # the grey levels of a picture are numbers without fractions
    rms = max(float(rms), 0.5 if whole else 1e-9 * float(np.nanmax(np.abs(image))))
    plane = np.where(bad, 0, image - sky).astype(float)
    smooth = ndimage.gaussian_filter(plane, 3.0 / 2.355)
    segments = detect_sources(smooth, 1.5 * rms, 5, mask=bad)
    if segments is None:
        return None
    segments = segments.data
    label = segments[round(y), round(x)]
    if label == 0:
        rows, columns = np.nonzero(segments)
        nearest = np.argmin(np.hypot(rows - y, columns - x))
        label = segments[rows[nearest], columns[nearest]]
    own = segments == label
    regular = ndimage.uniform_filter(own.astype(float), size=5) > 0.5
    regular = regular if (regular & own).sum() >= 9 else own
    mask = bad | ((segments > 0) & ~own)
    return plane, regular, mask & ~regular | bad, rms


def measured(image, x, y):
    """What is measured of one galaxy, by name; NaN where it could not be."""
    import statmorph
    from astropy.modeling.models import Sersic2D
    from scipy import ndimage

    values = dict.fromkeys((*PARAMETERS, *OTHERS), np.nan)
    found = prepared(image, x, y)
    if found is None:
        return values
    plane, own, mask, rms = found
    morphology = statmorph.SourceMorphology(
        plane, own.astype(int), 1, mask=mask, weightmap=np.full(plane.shape, rms)
    )
    for name in PARAMETERS:
        values[name] = float(getattr(morphology, name))
    values["area"] = float(own.sum())
    edge = np.r_[own[0], own[-1], own[:, 0], own[:, -1]]
    values["touching"] = float(edge.mean())
    values["peak_to_sky"] = float(plane[own].max() / rms)
    smooth = ndimage.gaussian_filter(plane, 1.3)
    peaks = (smooth == ndimage.maximum_filter(smooth, 7)) & own & ~mask
    values["n_peaks"] = float((peaks & (smooth > 0.2 * smooth[own].max())).sum())
    try:  # light that the Sersic profile leaves
        yy, xx = np.mgrid[: plane.shape[0], : plane.shape[1]]
        fitted = Sersic2D(
            amplitude=morphology.sersic_amplitude,
            r_eff=morphology.sersic_rhalf,
            n=morphology.sersic_n,
            x_0=morphology.sersic_xc,
            y_0=morphology.sersic_yc,
            ellip=morphology.sersic_ellip,
            theta=morphology.sersic_theta,
        )(xx, yy)
        good = own & ~mask
        left = np.abs(plane - fitted)[good].sum() - 0.8 * rms * good.sum()
        values["residual"] = float(left / plane[good].sum())
    except (AttributeError, ValueError):
        pass
    return values


def rows_of(name, n, total):
    """Which galaxies of a set are measured, in the order of their turn."""
    if name == "stretched":  # the same galaxies as those measured on linear images
        return rows_of("simulated", NUMBERS["simulated"], total)[:n]
    return np.random.default_rng(0).permutation(total)[:n]


def done_rows(path):
    if not path.exists():
        return set()
    with open(path) as file:
        return {int(row["row"]) for row in csv.DictReader(file)}


def measure_all(out, seconds):
    """Measure what is left, all sets in step, for at most so long."""
    import sets

    warnings.simplefilter("ignore")
    folder = out / "baseline" / "parameters"
    folder.mkdir(parents=True, exist_ok=True)
    images, turns = {}, []
    for name, n in NUMBERS.items():
        images[name] = sets.load(name, out / "sets")
        done = done_rows(folder / f"{name}.csv")
        rows = rows_of(name, n, len(images[name]))
        turns += [
            (i / len(rows), name, row) for i, row in enumerate(rows) if row not in done
        ]
    turns.sort(key=lambda turn: turn[0])
    start = time.time()
    for count, (_, name, row) in enumerate(turns, 1):
        mine = images[name]
        try:
            values = measured(mine.images[row], *mine.positions[row])
        except Exception:  # it must not end the others
            values = dict.fromkeys((*PARAMETERS, *OTHERS), np.nan)
        path = folder / f"{name}.csv"
        new = not path.exists()
        with open(path, "a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["row", *values])
            writer.writerow([row, *values.values()])
        if count % 100 == 0:
            passed = time.time() - start
            print(f"{count} of {len(turns)} galaxies, {passed:.0f} s", flush=True)
        if time.time() - start > seconds:
            break


def features(out, name):
    """Rows of a set that are measured, and what the forest sees of them."""
    path = out / "baseline" / "parameters" / f"{name}.csv"
    if not path.exists():
        return np.zeros(0, int), None
    with open(path) as file:
        lines = list(csv.DictReader(file))
    table = {k: np.array([float(line[k]) for line in lines]) for k in lines[0]}
    columns = []
    with np.errstate(all="ignore"):
        for key in (*PARAMETERS, *OTHERS):
            values = np.where(table[key] == -99, np.nan, table[key])
            if key in SIZES and key != "r50":
                values = values / table["r50"]
            if key in ("r50", "area", "peak_to_sky", "sn_per_pixel"):
                values = np.log10(values)
            columns.append(values)
    x = np.stack(columns, axis=1)
    return table["row"].astype(int), np.where(np.isfinite(x), x, np.nan)


def train(out):
    """Train the forest on the simulated galaxies and predict all sets."""
    import sets
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.metrics import roc_auc_score

    from galmorph.core import CANDELS

    rows, x = features(out, "baseline_training")
    table = sets.load("baseline_training", out / "sets", only_table=True)[rows]
    y = np.stack([np.asarray(table[name], float) for name in CANDELS.outputs], axis=1)
    forest = RandomForestRegressor(
        500, min_samples_leaf=3, max_features=0.4, random_state=0, oob_score=True
    ).fit(x, y)
    left = np.sqrt(np.mean((forest.oob_prediction_ - y) ** 2))
    print(f"{len(rows)} galaxies to learn from; out-of-bag RMSE {left:.4f}")
    names = [*PARAMETERS, *OTHERS]
    order = np.argsort(-forest.feature_importances_)[:10]
    print("most used:", ", ".join(names[i] for i in order))
    folder = out / "baseline" / "predictions"
    folder.mkdir(parents=True, exist_ok=True)
    for name in NUMBERS:
        rows, x = features(out, name)
        if len(rows) and name != "baseline_training":
            np.savez(folder / f"{name}.npz", rows=rows, fractions=forest.predict(x))
            print(f"{name}: {len(rows)} galaxies")
    # trained on real classes, with the folds of the table
    rows, x = features(out, "sdss")
    table = sets.load("sdss", out / "sets", only_table=True)[rows]
    kind, fold = np.asarray(table["gz1_class"]).astype(str), np.asarray(table["fold"])
    known = kind != "dont_know"
    found = np.full(len(rows), np.nan)
    for k in range(5):
        learn, judge = known & (fold != k), known & (fold == k)
        model = RandomForestClassifier(500, min_samples_leaf=2, random_state=0)
        model.fit(x[learn], kind[learn] == "merger")
        found[judge] = model.predict_proba(x[judge])[:, 1]
    truth, found = (kind == "merger")[known], found[known]
    random = np.random.default_rng(0)
    drawn = [random.integers(0, len(truth), len(truth)) for _ in range(200)]
    error = np.std([roc_auc_score(truth[i], found[i]) for i in drawn])
    print(
        f"SDSS mergers, trained on real classes, 5 folds: AUC"
        f" {roc_auc_score(truth, found):.3f} +- {error:.3f} ({len(truth)} galaxies)"
    )


def environment(out):
    """The Python of an environment that has statmorph and scikit-learn."""
    folder = out / "baseline-env"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    check = [python, "-c", "import statmorph, sklearn"]
    if subprocess.run(check, capture_output=True).returncode:
        install = ["-m", "pip", "install", "-q", "statmorph", "scikit-learn"]
        subprocess.run([python, *install], check=True)
    return python


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to work in")
    parser.add_argument("--seconds", type=float, default=1e9, help="longest measuring")
    parser.add_argument("--train", action="store_true", help="measure no more")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        if not args.train:
            measure_all(args.out, args.seconds)
        train(args.out)
        return
    import sets

    import galmorph

    for name in NUMBERS:  # simulated ones need GalSim, which is here
        sets.load(name, args.out / "sets", only_table=True)
    root = Path(galmorph.__file__).parents[1]
    here = Path(__file__).resolve()
    paths = os.pathsep.join([str(here.parent), str(root)])
    command = [environment(args.out), here, *sys.argv[1:], "--inside"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": paths})


if __name__ == "__main__":
    main()

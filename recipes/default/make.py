# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Make the default model, from nothing to the bundle.

    python recipes/default/make.py --data DATA --out runs/default

DATA is the folder of the real images (gz_ceers_f200w, sdss_gz1, candels_labels).
Stopped at any time, the same command goes on. With ``--fold K`` the galaxies of fold
K of both real sets are left out, which gives the model that is judged on them.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
import tomllib
from functools import partial
from pathlib import Path

import numpy as np
from astropy.table import vstack
from card import model_card
from labels import (
    SCHEME,
    candels_labels,
    gz_ceers_labels,
    outlier_labels,
    sdss_labels,
)
from stamps import outliers, peaks, pictures, redshifted, simulated

from galmorph import Preprocessor
from galmorph.core import CANDELS
from galmorph.simulation.statistics import draw_few_votes
from galmorph.training import Augmentation, calibrate, train

HERE = Path(__file__).resolve().parent
BENCHMARK = HERE.parents[1] / "benchmarks" / "development"


def say(line):
    """Tell the time and a line."""
    print(time.strftime("%H:%M:%S"), line, flush=True)


def collect(config, data, out, n_workers):
    """
    All stamps with their labels.

    Parameters
    ----------
    config : dict
    data, out : `~pathlib.Path`
    n_workers : int

    Returns
    -------
    stamps : `~numpy.ndarray`
    labels : `~astropy.table.Table`
        With ``morph_flags``, and ``galaxy``, which is that of all stamps of one.
    """
    preprocessor, side = Preprocessor(**config["preprocessing"]), config["side"]
    common = (preprocessor, side, out / "stamps")
    sdss, ceers = data / "sdss_gz1", data / "gz_ceers_f200w"
    parts = []

    def add(name, made, labels, copies=1):
        stamps, table = made
        labels["morph_flags"] = np.asarray(table["morph_flags"])
        labels["set"] = name
        if "galaxy" not in labels.colnames:
            labels["galaxy"] = [f"{name} {row}" for row in range(len(labels))]
        # those that are few are seen several times in each epoch
        parts.append((np.concatenate([stamps] * copies), vstack([labels] * copies)))
        say(f"{name}: {len(stamps)} stamps" + f", {copies} times" * (copies > 1))

    for name, settings in config["simulated"].items():
        made = simulated(name, settings, *common, n_workers=n_workers)
        add(name, made, candels_labels(made[1]))
    made = pictures("sdss", sdss / "images.npz", *common, n_workers=n_workers)
    settings = config["sdss"]
    labels = sdss_labels(sdss / "labels.ecsv", settings, settings["votes"])
    add("sdss", made, labels, copies=settings["copies"])
    far, galaxies = config["redshifted"], labels["galaxy"]
    if far["copies"]:
        drawn = {key: far[key] for key in ("copies", "levels", "seed")}
        made = redshifted(
            "redshifted", sdss / "images.npz", drawn, *common, n_workers=n_workers
        )
        labels = sdss_labels(sdss / "labels.ecsv", settings, far["votes"])
        labels["galaxy"] = galaxies
        labels = vstack([labels] * far["copies"])
        # of what the noise hides nobody would say so much
        seen = np.clip(peaks(made[0]) / far["seen"], 0, 1) ** 2
        is_galaxy = SCHEME.outputs.index("is_galaxy")
        labels["votes"][:, np.arange(len(SCHEME.outputs)) != is_galaxy] *= seen[:, None]
        add("redshifted", made, labels)
    made = pictures("ceers", ceers / "images.npz", *common, n_workers=n_workers)
    candels = data / "candels_labels" / "kartaltepe_fractions.ecsv"
    labels = gz_ceers_labels(ceers / "votes.ecsv", config["gz_ceers"], candels)
    add("ceers", made, labels, copies=config["gz_ceers"]["copies"])
    settings = config["outliers"]
    drawn = {key: settings[key] for key in ("n", "seed")}
    made = outliers("outliers", drawn, *common, n_workers=n_workers)
    add("outliers", made, outlier_labels(len(made[0]), settings))
    stamps, labels = zip(*parts, strict=True)
    return np.concatenate(stamps), vstack(labels)


def held_out(config, out, n_workers):
    """
    Simulated galaxies for levels and errors, with as few votes as real ones have.

    Parameters
    ----------
    config : dict
    out : `~pathlib.Path`
    n_workers : int

    Returns
    -------
    stamps : `~numpy.ndarray`
    labels : `~astropy.table.Table`
    """
    preprocessor, side = Preprocessor(**config["preprocessing"]), config["side"]
    random = np.random.default_rng(config["seed"])
    parts = []
    for name, settings in config["simulated"].items():
        # levels and errors shall hold for CANDELS before other cameras
        share = 1 if name == "candels" else 6
        changes = {"n": settings["n"] // share, "seed": settings["seed"] + 1000}
        stamps, labels = simulated(
            f"{name}-held-out",
            settings,
            preprocessor,
            side,
            out / "stamps",
            n_workers=n_workers,
            **changes,
        )
        table = candels_labels(labels)
        votes = draw_few_votes(CANDELS.labels(table), random)
        for output, values in zip(CANDELS.outputs, votes.T, strict=True):
            table[output] = values
        table["morph_flags"] = np.asarray(labels["morph_flags"])
        parts.append((stamps, table[[*CANDELS.outputs, "morph_flags"]]))
    stamps, labels = zip(*parts, strict=True)
    return np.concatenate(stamps), vstack(labels)


def main():
    """Make it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=HERE / "config.toml")
    parser.add_argument("--name", help="of the run; by default that of the fold")
    parser.add_argument("--fold", type=int, help="of the real images, to leave out")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    args = parser.parse_args()
    config = tomllib.loads(args.config.read_text())
    stamps, labels = collect(config, args.data, args.out, args.workers)
    run = args.out / (
        args.name or ("all" if args.fold is None else f"fold-{args.fold}")
    )
    test = None if args.fold is None else np.asarray(labels["fold"]) == args.fold
    result = train(
        (stamps, labels),
        out=run,
        name="galmorph-default-heads",
        scheme=SCHEME,
        preprocessor=Preprocessor(**config["preprocessing"]),
        augmentation=Augmentation(**config["augmentation"]),
        votes="votes",
        groups="galaxy",
        test_rows=test,
        seed=config["seed"],
        resume=run.exists(),
        progress=say,
        **config["model"],
        **{"patience": config["training"]["epochs"], **config["training"]},
    )
    finish = partial(
        calibrate,
        result.bundle,
        held_out(config, args.out, args.workers),
        levels=True,
        known=stamps[np.asarray(labels["is_galaxy"]) == 1],
        outliers=stamps[np.asarray(labels["is_galaxy"]) == 0],
        scheme=CANDELS,
        name=config["name"],
        overwrite=True,
    )
    made = finish(out=run / "without-card.zip")
    if args.fold is not None:
        score(made, result.bundle, args, run)
        card = model_card(card_values(config, labels, result, args), "default", run)
        made = finish(out=run / f"{config['name']}.zip", card=card)
    say(f"made {made}")


def score(made, heads, args, run):
    """Score the model, and the heads that it leaves out, on the development sets."""
    command = [sys.executable, BENCHMARK, "--fold", str(args.fold)]
    command += ["--out", args.out / "development"]
    command += ["--model", f"default={made}", f"heads={heads}"]
    if (args.out / "development" / "baseline" / "predictions").exists():
        command.append("--baseline")
    environment = {**os.environ, "GALMORPH_TEST_DATA": str(args.data.resolve())}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    for name in ("figures.ecsv", "alarms.ecsv", "report.md"):
        shutil.copy(args.out / "development" / name, run)
    if "--baseline" in command:
        compared = args.out / "development" / "with-baseline" / "figures.ecsv"
        shutil.copy(compared, run / "with-baseline.ecsv")


def card_values(config, labels, result, args):
    """What the template of the card asks for."""
    sets, n = np.unique(np.asarray(labels["set"]), return_counts=True)
    counts = dict(zip(sets.tolist(), n.tolist(), strict=True))
    return {
        "name": config["name"],
        "parameters": f"{result.metrics['parameters']:,}",
        "n_candels": f"{counts['candels']:,}",
        "n_simulated": f"{sum(counts[name] for name in config['simulated']):,}",
        "n_sdss": f"{counts['sdss'] // config['sdss']['copies']:,}",
        "n_ceers": f"{counts['ceers'] // config['gz_ceers']['copies']:,}",
        "n_outliers": f"{counts['outliers']:,}",
        "copies": config["redshifted"]["copies"],
        "shown": config["gz_ceers"]["copies"],
        "n_baseline": _lines(args.out / "development" / "baseline" / "parameters"),
        "epochs": config["training"]["epochs"],
        "seed": config["seed"],
        "fold": args.fold,
        "looks": config["looks"],
    }


def _lines(folder):
    """Number of simulated galaxies that the baseline learned from."""
    path = folder / "baseline_training.csv"
    return f"{len(path.read_text().splitlines()) - 1:,}" if path.exists() else "no"


if __name__ == "__main__":
    main()

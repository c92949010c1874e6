# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Make the default model, from nothing to the bundle.

    python recipes/default/make.py --data DATA --out runs/default

DATA is the folder of the real images (gz_ceers_f200w, sdss_gz1, candels_labels).
Stopped at any time, the same command goes on; what is finished stays as it is, so that
after a change another folder is needed.

Networks are trained in three stages: with simulated galaxies, from there with the
real ones too, and once more with more of those of CEERS. The real ones are in five
folds: for each fold of the configuration a network leaves it out and is judged on it,
and the last one, which is the model, has seen all of them. They take turns with the
first stages, which differ by their seeds. ``--only`` makes some of them, by the number
of the fold that is left out, as ``fold-0``, or ``all``; two processes side by side
shall not make the same first stage. All of them together are a second model,
``ensemble``, and the volunteers' outputs of the last a third, ``volunteers``.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
from astropy.table import vstack
from card import model_card, volunteers_card
from labels import (
    GALAXY_ZOO_CEERS,
    SCHEME,
    SIMULATED_VOTES,
    candels_labels,
    gz_ceers_labels,
    outlier_labels,
    sdss_labels,
)
from stamps import outliers, peaks, pictures, redshifted, simulated
from volunteers import volunteers

from galmorph import Preprocessor
from galmorph.core import CANDELS
from galmorph.models import copy_bundle, load_bundle, save_bundle
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


def stage(which, config, out, stamps, labels, **options):
    """
    Train in one of the stages, or go on with it.

    Parameters
    ----------
    which : str
        Its section of the configuration, ``"first"``, ``"then"`` or ``"last"``.
    config : dict
    out : `~pathlib.Path`
        Folder of the run.
    stamps : `~numpy.ndarray`
    labels : `~astropy.table.Table`
    **options
        More parameters of `~galmorph.training.train`.

    Returns
    -------
    result : `~galmorph.training.TrainingResult`
    """
    training = config["training"] | config["training"][which]
    # which are no settings of `train`
    for key in ("first", "then", "last", "simulated", "seeds", "ceers"):
        training.pop(key, None)
    say(f"{out.name}: {len(stamps)} stamps, {training['epochs']} epochs")
    return train(
        (stamps, labels),
        out=out,
        name=f"galmorph-default-{which}",
        scheme=SCHEME,
        preprocessor=Preprocessor(**config["preprocessing"]),
        augmentation=Augmentation(**config["augmentation"]),
        votes="votes",
        groups="galaxy",
        seed=config["seed"],
        resume=out.exists(),
        progress=say,
        **config["model"],
        **{"patience": training["epochs"], **training, **options},
    )


def first_stage(config, name, stamps, labels, out):
    """
    Bundle of the first stage that a network starts from, made where it is missing.

    Parameters
    ----------
    config : dict
    name : str
        As of `make`.
    stamps : `~numpy.ndarray`
    labels : `~astropy.table.Table`
    out : `~pathlib.Path`
        Where its folder is.

    Returns
    -------
    bundle : `~pathlib.Path`
    """
    seeds = config["training"]["first"]["seeds"]
    turn = 0 if name == "all" else int(name.removeprefix("fold-"))
    seed = seeds[turn % len(seeds)]
    folder = out / f"first-{seed}"
    if not (folder / "bundle").exists():
        made = np.isin(np.asarray(labels["set"]), [*config["simulated"], "outliers"])
        stage("first", {**config, "seed": seed}, folder, stamps[made], labels[made])
    return folder / "bundle"


def make(config, name, first, stamps, labels, levels, out):
    """
    Train with all galaxies, and solve for levels, errors and the domain.

    Parameters
    ----------
    config : dict
    name : str
        ``"all"``, or ``"fold-K"``, which leaves out fold K of the real images.
    first : path-like
        Bundle of the first stage.
    stamps : `~numpy.ndarray`
    labels : `~astropy.table.Table`
    levels : tuple
        What `held_out` gives.
    out : `~pathlib.Path`
        Where the folders of the runs are. In that of the last stage, ``bundle`` has
        the outputs of all sets, and ``model`` those of CANDELS.
    """
    sets = np.asarray(labels["set"])
    test = np.array([f"fold-{fold}" == name for fold in labels["fold"]])
    for which in ("then", "last"):
        settings = config["training"][which]
        random = np.random.default_rng(config["seed"])
        kept = random.random(len(labels)) < settings["simulated"]
        kept |= ~np.isin(sets, list(config["simulated"]))
        rows = np.flatnonzero(kept)
        ceers = rows[sets[rows] == "ceers"]
        rows = np.concatenate([rows, *[ceers] * (settings["ceers"] - 1)])
        result = stage(
            which,
            config,
            out / (name if which == "last" else f"{which}-{name}"),
            stamps[rows],
            labels[rows],
            test_rows=test[rows] if test.any() else None,
            start_from=first,
        )
        first = result.bundle
    galaxy = np.asarray(labels["is_galaxy"]) == 1
    finish(
        result.bundle,
        config["name"],
        (stamps[galaxy & ~test], stamps[~galaxy]),
        levels,
        out / name / "model",
    )


def finish(bundle, name, learned, levels, out):
    """
    Solve for levels, errors and the domain of the outputs of CANDELS.

    Parameters
    ----------
    bundle : path-like
        Bundle with the outputs of all sets.
    name : str
        Of the model.
    learned : tuple of `~numpy.ndarray`
        Stamps that it learned from: of galaxies, and of what is none.
    levels : tuple
        What `held_out` gives.
    out : `~pathlib.Path`
        Folder of the model.
    """
    calibrate(
        bundle,
        levels,
        out=out,
        levels=True,
        known=learned[0],
        outliers=learned[1],
        scheme=CANDELS,
        name=name,
        overwrite=True,
    )


def ensemble(config, networks, stamps, labels, levels, out):
    """
    Put the networks of all folds into one model.

    Parameters
    ----------
    config : dict
    networks : list of str
        As of `make`.
    stamps : `~numpy.ndarray`
    labels : `~astropy.table.Table`
    levels : tuple
        What `held_out` gives.
    out : `~pathlib.Path`
        Where the folders of the networks are, and that of the ensemble will be.
    """
    bundles = [load_bundle(out / name / "bundle") for name in networks]
    one = bundles[-1]
    together = save_bundle(
        out / "ensemble" / "bundle",
        [model for bundle in bundles for model in bundle.models()],
        name=one.name,
        scheme=one.scheme,
        preprocessor=one.preprocessing,
        architecture=config["model"]["architecture"],
        input_shape=one.input_shape,
        options=one.config["architecture"]["options"],
        views=one.config["views"],
        training=one.config["training"],
        weights_dtype="float32",
        overwrite=True,
    )
    galaxy = np.asarray(labels["is_galaxy"]) == 1
    finish(
        together,
        config["name"] + "-ensemble",
        (stamps[galaxy], stamps[~galaxy]),
        levels,
        out / "ensemble" / "model",
    )


def main():
    """Make it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=HERE / "config.toml")
    parser.add_argument("--only", nargs="+", metavar="NETWORK", help="some networks")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    args = parser.parse_args()
    config = tomllib.loads(args.config.read_text())
    networks = [*(f"fold-{fold}" for fold in config["folds"]), "all"]
    known = [*networks, "ensemble", "volunteers"]
    unknown = sorted(set(args.only or []) - set(known))
    if unknown:
        parser.error(f"--only: found {unknown}; there are {', '.join(known)}")
    stamps, labels = collect(config, args.data, args.out, args.workers)
    levels = held_out(config, args.out, args.workers)
    for name in args.only or known:
        if (args.out / name / "model").exists():
            continue
        if name == "ensemble":
            ensemble(config, networks, stamps, labels, levels, args.out)
        elif name == "volunteers":
            given = of_volunteers(config, stamps, labels)
            title = config["name"] + "-volunteers"
            volunteers(networks, *given, args.out, name=title)
        else:
            first = first_stage(config, name, stamps, labels, args.out)
            make(config, name, first, stamps, labels, levels, args.out)
        say(f"made {name}")
    if args.only:
        return
    score(networks, config, args)
    values = card_values(config, labels, args)
    for label, folder in (
        ("default", "all"),
        ("ensemble", "ensemble"),
        ("volunteers", "volunteers"),
    ):
        model = args.out / folder / "model"
        named = {"name": load_bundle(model).name, **values}
        if label == "volunteers":
            card = volunteers_card(named, args.out / folder)
        else:
            card = model_card(named, label, args.out)
        (model / "card.md").write_text(card, encoding="utf-8")
        path = args.out / f"{named['name']}.zip"
        say(f"made {copy_bundle(load_bundle(model), path, overwrite=True)}")


def of_volunteers(config, stamps, labels):
    """Stamps of CEERS, each once, with the volunteers' votes alone."""
    rows = np.flatnonzero(np.asarray(labels["set"]) == "ceers")
    rows = rows[: len(rows) // config["gz_ceers"]["copies"]]
    table = labels[[*GALAXY_ZOO_CEERS.outputs, "morph_flags", "fold"]][rows]
    columns = [SCHEME.index(output) for output in GALAXY_ZOO_CEERS.outputs]
    votes = np.asarray(labels["votes"])[np.ix_(rows, columns)]
    table["votes"] = votes / config["gz_ceers"]["weight"]
    return stamps[rows], table


def score(networks, config, args):
    """Score the models, and the heads that they leave out, on the development sets."""
    command = [sys.executable, BENCHMARK, "--out", args.out / "development", "--model"]
    for label, last, name in (
        ("default", "all", "model"),
        ("ensemble", "ensemble", "model"),
        ("heads", "all", "bundle"),
    ):
        judged = [*networks[:-1], last]
        bundles = [str(args.out / network / name) for network in judged]
        command.append(f"{label}={','.join(bundles)}")
    command += ["--folds", *map(str, config["folds"])]
    if (args.out / "development" / "baseline" / "predictions").exists():
        command.append("--baseline")
    environment = {**os.environ, "GALMORPH_TEST_DATA": str(args.data.resolve())}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    for name in ("figures.ecsv", "alarms.ecsv", "report.md"):
        shutil.copy(args.out / "development" / name, args.out)
    if "--baseline" in command:
        compared = args.out / "development" / "with-baseline" / "figures.ecsv"
        shutil.copy(compared, args.out / "with-baseline.ecsv")


def card_values(config, labels, args):
    """What the template of the card asks for."""
    sets, n = np.unique(np.asarray(labels["set"]), return_counts=True)
    counts = dict(zip(sets.tolist(), n.tolist(), strict=True))
    metrics = json.loads((args.out / "all" / "metrics.json").read_text())
    stated = {
        f"{name}_{fraction}": value
        for name, fractions in config["sdss"]["fractions"].items()
        for fraction, value in fractions.items()
    }
    for fraction, relation in config["gz_ceers"]["fractions"].items():
        stated[f"correlation_{fraction}"] = relation["correlation"]
    return {
        **stated,
        "sdss_votes": config["sdss"]["votes"],
        "far_votes": config["redshifted"]["votes"],
        "ceers_votes": config["gz_ceers"]["votes"],
        "simulated_votes": SIMULATED_VOTES,
        "networks": len(config["folds"]) + 1,
        "firsts": len(config["training"]["first"]["seeds"]),
        "views": config["training"]["views"],
        "parameters": f"{metrics['parameters']:,}",
        "n_candels": f"{counts['candels']:,}",
        "n_simulated": f"{sum(counts[name] for name in config['simulated']):,}",
        "n_sdss": f"{counts['sdss'] // config['sdss']['copies']:,}",
        "n_ceers": f"{counts['ceers'] // config['gz_ceers']['copies']:,}",
        "n_outliers": f"{counts['outliers']:,}",
        "copies": config["redshifted"]["copies"],
        "shown": config["gz_ceers"]["copies"],
        "n_baseline": _lines(args.out / "development" / "baseline" / "parameters"),
        "first_epochs": config["training"]["first"]["epochs"],
        "then_epochs": config["training"]["then"]["epochs"],
        "last_epochs": config["training"]["last"]["epochs"],
        "more_ceers": config["training"]["last"]["ceers"],
        "then_share": f"{100 * config['training']['then']['simulated']:.0f} %",
        "folds": ", ".join(map(str, config["folds"])),
        "seed": config["seed"],
        "looks": config["looks"],
    }


def _lines(folder):
    """Number of simulated galaxies that the baseline learned from."""
    path = folder / "baseline_training.csv"
    return f"{len(path.read_text().splitlines()) - 1:,}" if path.exists() else "no"


if __name__ == "__main__":
    main()

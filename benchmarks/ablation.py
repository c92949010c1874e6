# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What each part of a network and of its training is worth.

One thing is added at a time: to the fully connected baseline and to the network of 2016
with ReLU come maxout, dropout, augmentation, brightness changes, averages over views
and over models; then the compact network, on two sizes of stamps. Two test beds:
galaxies simulated as CANDELS sees them (a given test share), and the votes of Galaxy
Zoo: CEERS on JWST stamps (five-fold cross-validation with the folds of the table),
which are looked for in the folder that GALMORPH_TEST_DATA names. Stamps and unfinished
runs are kept in --out, the predictions of finished networks in --done; started again,
it goes on. Several processes with the same folders share the work; one for each core is
faster than one on all of them. Prints one table for each bed, of the rows that are
finished, and with --speeds how fast the networks are side by side.

    for core in 0 1; do
        taskset -c $core python benchmarks/ablation.py --out runs/ablation &
    done; wait
"""

import argparse
import fcntl
import json
import os
import shutil
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack
from limits import least

from galmorph import LabelScheme, Preprocessor
from galmorph.core import CANDELS
from galmorph.evaluation import binomial_floor, bootstrap_error, rmse
from galmorph.models import Predictor, build, load_bundle
from galmorph.simulation import simulate_stamps
from galmorph.tables import read_table, write_table
from galmorph.training import Augmentation, train
from galmorph.training.stamping import frame_stamps

NOTHING = Augmentation(
    rotation=False, flip=False, shift=0, zoom=1, noise=0, brightness=0
)
MOVED = Augmentation(shift=3.0, zoom=1.1, noise=0, brightness=0)
BRIGHTER = Augmentation(shift=3.0, zoom=1.1, noise=0, brightness=0.2)

HC15 = {
    "architecture": "hc15",
    "shape": 45,
    "augmentation": NOTHING,
    "learning_rate": 4.5e-4,
    "loss": "mse",
    "batch_size": 64,
    "jit_compile": True,
}
COMPACT = {
    "architecture": "p4m_resnet",
    "options": {"widths": [3, 6, 12]},  # as in the default model
    "shape": 64,
    "augmentation": MOVED,
    "learning_rate": 2e-3,
    "loss": "binomial",
    "batch_size": 32,
}
# each row changes what it names; the averages need no training of their own
ROWS = {
    "dense ANN": {**HC15, "architecture": "dense_ann"},
    "hc15, ReLU": {**HC15, "options": {"maxout": False, "dropout": 0.0}},
    "+ maxout": {**HC15, "options": {"dropout": 0.0}},
    "+ dropout": HC15,
    "+ augmentation": {**HC15, "augmentation": MOVED},
    "+ brightness": {**HC15, "augmentation": BRIGHTER},
    "compact": COMPACT,
    "compact, 48 pixels": {
        **COMPACT,
        "options": {"widths": [3, 6, 12, 24], "dropout": 0.2},
        "shape": 48,
        "learning_rate": 1.5e-3,
        "ema": 0.99,
    },
}
REPEATED = ("+ augmentation", "compact")  # with several seeds
GZ_CEERS = LabelScheme(
    "gz_ceers", ["f_smooth", "f_featured", "f_artifact", "f_merger_or_disturbed"]
)


def say(line):
    print(line, file=sys.stderr, flush=True)


@contextmanager
def claim(path, wait=False):
    """Whether it falls to this process to make a file, until it dies at the latest."""
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True


class GalaxyZoo:
    """Votes of Galaxy Zoo: CEERS for stretched stamps of NIRCam F200W."""

    name, scheme, folds = "gz_ceers", GZ_CEERS, range(5)
    epochs = {"dense_ann": 40, "hc15": 40, "p4m_resnet": 40}
    patience = 12

    def __init__(self, out):
        folder = Path(os.environ["GALMORPH_TEST_DATA"]) / "gz_ceers_f200w"
        with np.load(folder / "images.npz") as file:
            self.images = file["images"]
        self.table = read_table(folder / "votes.ecsv")
        merging = np.ma.filled(self.table["total_votes_merging_question"], 0)
        self.votes = np.stack([self.table["total_votes"]] * 3 + [merging], axis=1)

    def stamps(self, shape):
        # all of the image, with a little beyond what the smaller networks see
        side = 53 if shape == 45 else shape
        stamps = frame_stamps(self.images[..., None], side, 5.0).data[..., 0]
        # the stretch gave each its own sky level and contrast; the reference
        # network, whose first weights are small, needs values of some size
        stamps -= stamps.mean(axis=(1, 2), keepdims=True)
        return 4 * stamps / stamps.std(axis=(1, 2), keepdims=True)

    def test_rows(self, fold):
        return np.asarray(self.table["fold"]) == fold


class Simulated:
    """Simulated galaxies with the fractions that many classifiers would give."""

    name, scheme, folds = "simulated", CANDELS, range(1)
    epochs = {"dense_ann": 30, "hc15": 30, "p4m_resnet": 30}
    patience = 20
    n, seed = 8000, 2016

    def __init__(self, out):
        self.out = out
        self.votes = None
        self.table = None

    def stamps(self, shape):
        stamps, truth = self.out / f"stamps-{shape}.npy", self.out / "truth.ecsv"
        with claim(stamps.with_suffix(".lock"), wait=True):
            if not stamps.exists():
                self._make(shape, stamps, truth)
        self.table = read_table(truth)
        return np.load(stamps)

    def _make(self, shape, stamps, truth):
        preprocessor = Preprocessor(shape=shape).with_margin(shape * 64 // 45)
        data, table = simulate_stamps(self.n, seed=self.seed, preprocessor=preprocessor)
        if not truth.exists():
            write_table(table, truth)
        kept = self.scheme.labels(read_table(truth))
        if not np.allclose(kept, self.scheme.labels(table), atol=1e-3, equal_nan=True):
            raise SystemExit(
                f"{truth}: found the votes of another galmorph.simulation; networks"
                " can be compared only with the same votes, so use another folder"
            )
        with open(stamps.with_suffix(".part"), "wb") as file:
            np.save(file, data)
        os.replace(file.name, stamps)

    def test_rows(self, fold):
        return np.random.default_rng(self.seed).random(self.n) < 0.25


def place(folder, row, seed, fold):
    """Where the predictions of a network are kept."""
    name = f"{row}-{seed}-{fold}".replace(", ", "-").replace("+ ", "plus-")
    return folder / f"{name.replace(' ', '-')}.npz"


def unit(bed, row, seed, fold, stamps, out, done):
    """Train one network; keep its true and predicted fractions, plain and viewed."""
    settings = dict(ROWS[row])
    shape = settings.pop("shape")
    folder = out / "work" / done.stem
    folder.parent.mkdir(exist_ok=True)
    with claim(folder.with_suffix(".lock")) as mine:
        if not mine or done.exists():
            return
        result = train(
            (stamps, bed.table),
            out=folder,
            scheme=bed.scheme,
            votes=bed.votes,
            test_rows=bed.test_rows(fold),
            preprocessor=Preprocessor(shape=shape),
            epochs=bed.epochs[settings["architecture"]],
            patience=bed.patience,
            seed=seed,
            resume=folder.exists(),
            **settings,
        )
        found = read_table(folder / "predictions.ecsv")
        rows = np.asarray(found["row"])
        first = (stamps.shape[1] - shape) // 2
        seen = stamps[rows, first : first + shape, first : first + shape]
        viewed, _, _ = Predictor(load_bundle(result.bundle), views=8).predict(
            seen.reshape(len(rows), shape, shape, -1)
        )
        history = result.history
        with open(done.with_suffix(".part"), "wb") as file:
            np.savez_compressed(
                file,
                rows=rows,
                truth=bed.scheme.labels(bed.table)[rows].astype(np.float16),
                plain=bed.scheme.labels(found).astype(np.float16),
                views=viewed.astype(np.float16),
                training=np.asarray(history["rmse"], np.float32),
                validation=np.asarray(history["val_rmse"], np.float32),
                metrics=json.dumps(result.metrics),
            )
        os.replace(done.with_suffix(".part"), done)
        shutil.rmtree(folder)
        say(f"{bed.name}: {done.stem}: {result.metrics['test']['all']['rmse']:.4f}")


def read(path):
    """What `unit` has kept."""
    with np.load(path) as saved:
        return {key: saved[key] for key in saved.files}


def pooled(units, key):
    """Truth and mean prediction over all folds, galaxy by galaxy."""
    rows = np.concatenate([u["rows"] for u in units])
    order = np.argsort(rows)
    return (np.concatenate([u[what] for u in units])[order] for what in ("truth", key))


def line(name, truth, predicted, units):
    metrics = [json.loads(str(u["metrics"])) for u in units]
    return {
        "row": name,
        "RMSE": float(rmse(truth, predicted)),
        "error": float(bootstrap_error(rmse, truth, predicted)),
        "galaxies": len(truth),
        "parameters": metrics[0]["parameters"],
        "seconds": float(np.sum([m["seconds"] for m in metrics])),
        "images/s": float(np.median([m["images_per_second"] for m in metrics])),
        "best epoch": float(np.median([np.median(m["best_epoch"]) for m in metrics])),
    }


def train_all(bed, out, done, seeds, until):
    """Train what is not finished, what matters most first, until it is so late."""
    stamps = {}
    for seed in range(1, seeds + 1):
        for row in reversed(ROWS):
            if seed > 1 and row not in REPEATED:
                continue
            shape = ROWS[row]["shape"]
            for fold in bed.folds:
                path = place(done, row, seed, fold)
                if path.exists():
                    continue
                if time.monotonic() > until:
                    return
                if shape not in stamps:
                    stamps[shape] = bed.stamps(shape)
                unit(bed, row, seed, fold, stamps[shape], out, path)


def tabulate(bed, done, seeds):
    """The rows that are finished, in all folds."""
    found, lines = {}, []
    for seed in range(1, seeds + 1):
        for row in ROWS:
            paths = [place(done, row, seed, fold) for fold in bed.folds]
            if all(path.exists() for path in paths):
                found[row, seed] = [read(path) for path in paths]
    for row in ROWS:
        used = sorted(key for key in found if key[0] == row)
        if not used:
            continue
        first, all_units = found[used[0]], [u for key in used for u in found[key]]
        ways = {"plain": "", "views": ", 8 views"} if row in REPEATED else {"plain": ""}
        averages = []
        for way, suffix in ways.items():
            scores = [list(pooled(found[key], way)) for key in used]
            truth = scores[0][0]
            entry = line(f"{row}{suffix}", *scores[0], first)
            single = [float(rmse(*pair)) for pair in scores]
            entry["RMSE"] = np.mean(single)
            spread = np.std(single, ddof=1) if len(used) > 1 else np.nan
            entry["spread of seeds"] = spread
            lines.append(entry)
            if row in REPEATED:
                mean = np.mean([predicted for _, predicted in scores], axis=0)
                name = f"{row}, {len(used)} models{suffix.replace(',', ' and')}"
                averages.append(line(name, truth, mean, all_units))
        lines += averages
    if not lines:
        return Table({"row": ["none is finished in all folds"]})
    mean = np.broadcast_to(np.nanmean(truth, axis=0), truth.shape)
    lines.append({"row": "always the mean", "RMSE": float(rmse(truth, mean))})
    if bed.votes is not None:
        labels = bed.scheme.labels(bed.table)
        noise = [
            binomial_floor(labels[:, [i]][bed.votes[:, i] > 1], votes[votes > 1])
            for i, votes in enumerate(bed.votes.T)
        ]
        floor = float(np.sqrt(np.mean(np.square(noise))))
        lines.append({"row": "binomial noise of the votes", "RMSE": floor})
    table = vstack([Table([entry]) for entry in lines])
    for name in ("RMSE", "error", "spread of seeds"):
        table[name].info.format = ".4f"
    for name in ("seconds", "images/s", "best epoch"):
        table[name].info.format = ".0f"
    write_table(table, done / "table.ecsv", overwrite=True)
    return table


def draw_curves(bed, done, path):
    """RMSE by epoch of the first seed, median of the folds, one panel a row."""
    from galmorph.visualization.drawing import COLOURS, new_figure, save_figure
    from galmorph.visualization.plots import style_axes

    columns = (len(ROWS) + 1) // 2
    figure = new_figure(2.2 * columns, 3.8)
    axes = figure.subplots(2, columns, sharey=True, squeeze=False).ravel()
    for axis in axes[len(ROWS) :]:
        axis.axis("off")
    for axis, row in zip(axes, ROWS, strict=False):
        style_axes(axis, row)
        paths = [place(done, row, 1, fold) for fold in bed.folds]
        units = [read(path) for path in paths if path.exists()]
        for colour, key in zip(COLOURS, ("training", "validation"), strict=False):
            if units:
                last = min(len(u[key]) for u in units)
                values = np.median([u[key][:last] for u in units], axis=0)
                axis.plot(1 + np.arange(last), values, color=colour, label=key)
        axis.set_xlabel("epoch")
    axes[0].legend(frameon=False, fontsize=6)
    axes[0].set_ylabel("RMSE")
    figure.tight_layout()
    save_figure(figure, path, dpi=110)


def caught_up(done, folds, row="compact", reference="+ augmentation"):
    """
    Epoch after which a network is as good as another at its best one, and that one,
    fold by fold; None where it never is.
    """
    pairs = []
    for fold in folds:
        paths = [place(done, name, 1, fold) for name in (row, reference)]
        if all(path.exists() for path in paths):
            own, other = (read(path)["validation"] for path in paths)
            reached = 1 + np.nonzero(own <= other.min())[0]
            pairs.append((next(iter(reached), None), 1 + other.argmin()))
    return pairs


def speeds(repeats=5):
    """Stamps that networks learn from and predict in a second of the processors."""
    random = np.random.default_rng(1)
    rows = ("hc15, ReLU", "+ dropout", "compact", "compact, 48 pixels")
    steps, sizes = [], []
    for settings in (ROWS[row] for row in rows):
        side = settings["shape"]
        network = build(
            settings["architecture"],
            scheme=CANDELS,
            input_shape=(side, side, 1),
            **settings.get("options", {}),
        )
        network.compile("adam", "mse", jit_compile=settings.get("jit_compile", False))
        stamps = random.normal(size=(256, side, side, 1)).astype(np.float32)
        labels = random.random((256, len(CANDELS.outputs))).astype(np.float32)
        size = settings["batch_size"]
        steps.append(partial(network.train_on_batch, stamps[:size], labels[:size]))
        steps.append(partial(network.predict_on_batch, stamps))
        sizes += [size, len(stamps)]
    for step in steps:  # the first compiles
        step()
    rates = (np.array(sizes) / least(steps, repeats)).reshape(-1, 2)
    table = Table({"row": rows})
    for name, rate in zip(("learns", "predicts"), rates.T, strict=True):
        table[f"{name}, images/s"] = np.round(rate)
        table[f"{name}, over hc15"] = np.round(rate / rate[1], 2)
    return table


BEDS = {bed.name: bed for bed in (GalaxyZoo, Simulated)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to work in")
    parser.add_argument("--done", type=Path, help="folder of what is finished")
    parser.add_argument("--bed", choices=BEDS, nargs="+", default=list(BEDS))
    parser.add_argument("--seeds", type=int, default=3, help="for rows that matter")
    parser.add_argument(
        "--minutes", type=float, default=np.inf, help="after which no network begins"
    )
    parser.add_argument("--speeds", action="store_true", help="compare networks, too")
    args = parser.parse_args()
    until = time.monotonic() + 60 * args.minutes
    for name in args.bed:
        out, done = args.out / name, (args.done or args.out / "done") / name
        for folder in (out, done):
            folder.mkdir(parents=True, exist_ok=True)
        bed = BEDS[name](out)
        train_all(bed, out, done, args.seeds, until)
        print(f"\n{name}")
        tabulate(bed, done, args.seeds).pprint(max_lines=-1, max_width=-1)
        for own, other in caught_up(done, bed.folds):
            print(f"compact is as good after epoch {own} as hc15 after {other}")
        draw_curves(bed, done, done / "curves.png")
    if args.speeds:
        print("\nside by side")
        speeds().pprint(max_width=-1)


if __name__ == "__main__":
    main()

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What a model says of the sets, with stamps and predictions kept for the next time.
"""

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sets

import galmorph.images
from galmorph import MorphologyClassifier
from galmorph.images.stamps import NOT_CLASSIFIED
from galmorph.models import Predictor, fetch_model, load_bundle

__all__ = ["Predicted", "Scored", "open_model", "stack"]


@dataclass
class Predicted:
    """
    Predictions for rows of a set.

    Parameters
    ----------
    table : `~astropy.table.Table`
        What is known of the rows.
    rows : `~numpy.ndarray`
        Their numbers in the set; several times where several models tell.
    fractions, errors : dict of `~numpy.ndarray`
        By output.
    distances, flags : `~numpy.ndarray`
    """

    table: object
    rows: np.ndarray
    fractions: dict
    errors: dict
    distances: np.ndarray
    flags: np.ndarray

    def take(self, which):
        """Some of the rows."""
        return Predicted(
            self.table[which],
            self.rows[which],
            {name: values[which] for name, values in self.fractions.items()},
            {name: values[which] for name, values in self.errors.items()},
            self.distances[which],
            self.flags[which],
        )

    def matrix(self, outputs, what="fractions"):
        """Shape (n, outputs)."""
        return np.stack([getattr(self, what)[name] for name in outputs], axis=1)


def stack(parts):
    """Predictions of several models, one after the other."""
    from astropy.table import vstack

    first = parts[0]
    return Predicted(
        vstack([part.table for part in parts], metadata_conflicts="silent"),
        np.concatenate([part.rows for part in parts]),
        *(
            {k: np.concatenate([getattr(p, what)[k] for p in parts]) for k in first}
            for what, first in (
                ("fractions", first.fractions),
                ("errors", first.errors),
            )
        ),
        np.concatenate([part.distances for part in parts]),
        np.concatenate([part.flags for part in parts]),
    )


def open_model(name):
    """A bundle by the path of its folder or file, or by its name."""
    path = Path(name)
    return load_bundle(path if path.exists() else fetch_model(name))


def _code():
    """A mark of the code that makes stamps."""
    folder = Path(galmorph.images.__file__).parent
    content = b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))
    return hashlib.sha256(content).hexdigest()[:12]


def stamps_of(bundle, name, out):
    """Stamps of a set as a user's classifier makes them: pixels, flags, sizes."""
    config = json.dumps(bundle.config["preprocessing"], sort_keys=True)
    key = hashlib.sha256(config.encode()).hexdigest()[:12]
    path = out / "stamps" / key / f"{name}.npz"
    if not path.exists():
        print(f"making stamps of {name} for {bundle.name}", file=sys.stderr, flush=True)
        images = sets.load(name, out / "sets")
        classifier = MorphologyClassifier(bundle)
        positions = images.positions if name == "fields" else None
        stamps = classifier.preprocess(images.as_input(), positions=positions)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name("config.json").write_text(config)
        measured = {
            column: np.asarray(getattr(values, "value", values))
            for column, values in stamps.measurements.items()
        }
        part = path.with_suffix(".part")
        with open(part, "wb") as file:
            np.savez(
                file, data=stamps.data, flags=stamps.flags, code=_code(), **measured
            )
        part.replace(path)
    with np.load(path) as saved:
        if str(saved["code"]) != _code():
            print(
                f"{path} was made by other code of galmorph.images: remove"
                f" {path.parent} to see what has changed",
                file=sys.stderr,
            )
        return {key: saved[key] for key in saved.files}


class Scored:
    """
    One model, or those of several folds, and what they say of each set.

    Parameters
    ----------
    label : str
        Heads the model's column.
    bundles : list of `~galmorph.models.ModelBundle`
        One, or one for each of the folds, and maybe another for sets without folds.
    out : `~pathlib.Path`
        Where stamps and predictions are kept.
    folds : sequence of int, optional
        Folds that the bundles, one after the other, were not trained on.
    """

    def __init__(self, label, bundles, out, folds=()):
        self.label, self.bundles, self.out, self.folds = label, bundles, out, folds
        self.outputs = list(bundles[0].scheme.outputs)
        self._predictors = {}

    def of(self, name):
        """
        Predictions for a set, of the folds that the models were not trained on.

        A set without folds is scored by the model for those, or by each of them.
        """
        table = sets.load(name, self.out / "sets", only_table=True)
        if self.folds and "fold" in table.colnames:
            fold = np.asarray(table["fold"])
            parts = [
                self._predicted(number, name, table).take(fold == left_out)
                for number, left_out in enumerate(self.folds)
            ]
        else:
            numbers = range(len(self.bundles))
            parts = [
                self._predicted(number, name, table)
                for number in numbers[len(self.folds) :] or numbers
            ]
        return stack(parts) if len(parts) > 1 else parts[0]

    def _predicted(self, k, name, table):
        bundle = self.bundles[k]
        path = self.out / "predictions" / bundle.sha256[:16] / f"{name}.npz"
        if not path.exists():
            stamps = stamps_of(bundle, name, self.out)
            usable = (stamps["flags"] & NOT_CLASSIFIED) == 0
            n = len(usable)
            fractions = np.full((n, len(self.outputs)), np.nan, np.float32)
            errors, distances = fractions.copy(), np.full(n, np.nan, np.float32)
            if k not in self._predictors:
                self._predictors[k] = Predictor(bundle)
            found = self._predictors[k].predict(stamps["data"][usable])
            fractions[usable], errors[usable], distances[usable] = found[:3]
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            with open(part, "wb") as file:
                np.savez(
                    file,
                    fractions=fractions,
                    errors=errors,
                    distances=distances,
                    flags=stamps["flags"],
                )
            part.replace(path)
        with np.load(path) as saved:
            fractions, errors = saved["fractions"], saved["errors"]
            distances, flags = saved["distances"], saved["flags"]
        return Predicted(
            table,
            np.arange(len(table)),
            dict(zip(self.outputs, fractions.T, strict=True)),
            dict(zip(self.outputs, errors.T, strict=True)),
            distances,
            flags,
        )

    def stamps(self, name):
        """The stamps of a set, as the first of the models sees them."""
        return stamps_of(self.bundles[0], name, self.out)

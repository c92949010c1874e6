# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
``galmorph evaluate``: predicted and true fractions, by id -> errors, on a page.
"""

import sys
from collections import Counter
from pathlib import Path

from galmorph.cli.arguments import (
    UsageError,
    add_model_argument,
    add_output_arguments,
    add_pixel_scale,
    load_classifier,
)
from galmorph.cli.classify import classify_files
from galmorph.cli.output import (
    check_outputs,
    print_failures,
    print_metrics,
    write_tables,
)
from galmorph.core import (
    CatalogError,
    ConfigurationError,
    LabelScheme,
    import_optional,
)

__all__ = ["add_parser", "match_by_id", "run"]


def add_parser(verbs):
    """
    Add the verb to the command line.

    Parameters
    ----------
    verbs : object
        Its ``add`` makes the verb's parser.
    """
    parser = verbs.add(
        "evaluate",
        "compare predicted fractions with true ones",
        "galmorph evaluate labels.ecsv --predictions results.ecsv",
        run,
    )
    parser.add_argument(
        "labels", type=Path, metavar="LABELS", help="table of true fractions"
    )
    predicted = parser.add_mutually_exclusive_group(required=True)
    predicted.add_argument(
        "--predictions", type=Path, metavar="FILE", help="table of a classifier"
    )
    predicted.add_argument(
        "--images",
        nargs="+",
        metavar="IMAGE",
        help="images to classify now; their ids are their file names",
    )
    parser.add_argument(
        "--id", default="id", metavar="COLUMN", help="ids of the predictions (id)"
    )
    parser.add_argument(
        "--label-id", default="id", metavar="COLUMN", help="ids of the labels (id)"
    )
    parser.add_argument(
        "--label-prefix",
        default="f_",
        metavar="PREFIX",
        help="what stands before 'spheroid' etc. in the labels' columns (f_)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="folder for all tables and figures, and a page with them, index.html",
    )
    parser.add_argument(
        "--votes",
        metavar="COLUMN",
        help="numbers of votes, in the labels or the predictions: tells what the noise"
        " of the votes leaves to a perfect model",
    )
    parser.add_argument(
        "--bins",
        action="append",
        default=[],
        metavar="COLUMN",
        help="bias and scatter in bins of this, such as a magnitude, in the labels or"
        " the predictions; may be given several times",
    )
    parser.add_argument(
        "--groups",
        metavar="COLUMN",
        help="what makes galaxies depend on each other, such as their field: errors are"
        " then by bootstrap over these groups",
    )
    add_pixel_scale(parser)
    add_model_argument(parser)
    add_output_arguments(parser, gallery=False)


def run(args):
    """
    Run the verb.

    Parameters
    ----------
    args : `argparse.Namespace`
    """
    from galmorph.evaluation import evaluate
    from galmorph.tables import read_table

    _check(args)
    labels = read_table(args.labels)
    if args.predictions is not None:
        predictions = read_table(args.predictions)
        scheme = _scheme_of(predictions)
    else:
        classifier = load_classifier(args)
        scheme = classifier.scheme
        predictions = classify_files(classifier, args.images, args.pixel_scale)
        print_failures(predictions)
    for name in scheme.outputs:
        given = args.label_prefix + name.removeprefix("f_")
        if given in labels.colnames and given != name:
            labels[name] = labels[given]
    rows, label_rows = match_by_id(predictions, labels, args.id, args.label_id)
    labels, matched = labels[label_rows], predictions[rows]
    labels["id"] = matched[args.id]
    evaluation = evaluate(
        labels,
        matched,
        scheme=scheme,
        n_votes=_column(args.votes, "--votes", labels, matched),
        bins_by={name: _column(name, "--bins", labels, matched) for name in args.bins},
        groups=_column(args.groups, "--groups", labels, matched),
    )
    write_tables(evaluation.metrics, args)
    _print(evaluation)
    print(f"{len(rows)} of {len(predictions)} predictions have a label")
    if args.out is not None:
        page = evaluation.write(args.out, overwrite=args.overwrite)
        print(f"written: {page}", file=sys.stderr)


def _check(args):
    """See before the work begins that it can be done."""
    check_outputs(args)
    if args.predictions is not None and args.model is not None:
        raise UsageError("--model goes with --images, not with --predictions")
    if args.out is None:
        return
    import_optional("matplotlib", "plot")
    if args.out.exists() and not args.out.is_dir():
        raise NotADirectoryError(f"--out: {args.out} is no folder")
    if args.out.is_dir() and any(args.out.iterdir()) and not args.overwrite:
        raise FileExistsError(
            f"--out: the folder {args.out} is not empty; give --overwrite to replace"
            " its files"
        )


def _column(name, option, labels, predictions):
    """Values of a column of either table; the labels go first."""
    if name is None:
        return None
    for table in (labels, predictions):
        if name in table.colnames:
            return table[name]
    raise ConfigurationError(
        f"{option}: there is no column {name!r}; the labels have"
        f" {', '.join(labels.colnames)}; the predictions"
        f" {', '.join(predictions.colnames)}"
    )


def _print(evaluation):
    """The tables that fit on a screen."""
    print_metrics(evaluation.metrics)
    for heading, table in (
        ("order and calibration of the fractions", evaluation.agreement),
        ("share of truths within the errors", evaluation.coverage),
        ("dominant classes that are wrong", evaluation.misclassification),
        ("completeness and purity of dominant classes", evaluation.classes),
        *(
            (f"all fractions in bins of {name}", table[table["output"] == "all"])
            for name, table in evaluation.bins.items()
        ),
    ):
        if table is not None and len(table):
            print(f"\n{heading}")
            print_metrics(table)


def _scheme_of(table):
    """The outputs that the classifier names; else what looks like fractions."""
    outputs = table.meta.get("galmorph", {}).get("outputs")
    if outputs is None:
        given = [n for n in table.colnames if f"{n}_err" in table.colnames]
        named = [name for name in table.colnames if name.startswith("f_")]
        outputs = [name for name in given if name in named] or named or given
    if not outputs:
        raise CatalogError(
            "--predictions: found no columns of fractions, which begin with f_ or have"
            " a column of errors, such as bar and bar_err; the columns are"
            f" {', '.join(table.colnames)}"
        )
    return LabelScheme("predictions", outputs)


def match_by_id(predictions, labels, column="id", label_column="id"):
    """
    Find the label of each prediction.

    Parameters
    ----------
    predictions, labels : `~astropy.table.Table`
    column, label_column : str, optional
        Names of the columns of ids.

    Returns
    -------
    rows, label_rows : list of int
        Rows of the predictions that have a label, and those labels' rows.

    Raises
    ------
    CatalogError
        If a column is missing, an id occurs twice, or nothing matches.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galmorph.cli.evaluate import match_by_id
    >>> match_by_id(Table({"id": ["b", "c"]}), Table({"id": ["a", "b"]}))
    ([0], [1])
    """
    ids = _ids(predictions, column, "predictions")
    places = {
        name: row for row, name in enumerate(_ids(labels, label_column, "labels"))
    }
    rows = [row for row, name in enumerate(ids) if name in places]
    if not rows:
        raise CatalogError(
            f"no id of the predictions ({', '.join(ids[:3])}, ...) is among those of"
            f" the labels ({', '.join(list(places)[:3])}, ...); name the columns of"
            " ids with --id and --label-id"
        )
    return rows, [places[ids[row]] for row in rows]


def _ids(table, column, what):
    if column not in table.colnames:
        raise CatalogError(
            f"{what}: there is no column {column!r} of ids; found {table.colnames}"
        )
    ids = [str(value) for value in table[column]]
    if len(set(ids)) != len(ids):
        (twice, _), *_ = Counter(ids).most_common(1)
        raise CatalogError(f"{what}: the id {twice!r} occurs more than once")
    return ids

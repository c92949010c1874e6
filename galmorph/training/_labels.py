# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Tables of labels under the names that a run knows them by.
"""

import numpy as np
from astropy.table import QTable

from galmorph.core import ConfigurationError, GalmorphError, decode_flags, get_scheme
from galmorph.core.columns import plain_numbers
from galmorph.images import NOT_CLASSIFIED
from galmorph.tables import read_table
from galmorph.training.datasets import usable_rows

__all__ = ["GROUP", "TEST", "VOTES", "existing", "read_labels", "tell", "with_flags"]

# bad galaxies told one by one
_MOST_TOLD = 5
# columns of what `train` is told beside stamps and labels
VOTES, GROUP, TEST = "label_votes", "split_group", "split_test"


def read_labels(config, more=None, table=None):
    """
    Labels under the names of the outputs, and what else the run asks for.

    Columns of other names are left out, but for ``id`` and those in ``more``,
    whose keys are the settings that name them.
    """
    data = config.data
    if table is None:
        try:
            table = read_table(existing(data, "table"))
        except ConfigurationError:
            raise
        except GalmorphError as error:
            why = str(error).removeprefix("path: ")
            raise ConfigurationError(f"[data] table: {why}") from error

    def column(key, name):
        if name not in table.colnames:
            raise ConfigurationError(
                f"[data] {key}: {data.root / data.table} has no column {name!r};"
                f" found {table.colnames}"
            )
        return table[name]

    def numbers(key, name):
        try:
            return plain_numbers(column(key, name))
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                f"[data] {key}: the column {name!r} of {data.root / data.table} has no"
                f" numbers: {error}"
            ) from error

    chosen = QTable()
    for key, name in (more or {}).items():
        chosen[name] = column(key, name)
    if "id" in table.colnames:
        chosen["id"] = table["id"]
    scheme = get_scheme(config.scheme)
    for output in scheme.outputs:
        if output in data.missing:
            chosen[output] = np.full(len(table), np.nan, np.float32)
            continue
        chosen[output] = numbers("columns", data.column_of(output)).astype(np.float32)
    if isinstance(data.votes, dict):
        unknown = np.full(len(table), np.nan)
        chosen[VOTES] = np.stack(
            [
                numbers("votes", data.votes[output])
                if output in data.votes
                else unknown
                for output in scheme.outputs
            ],
            axis=1,
        )
    elif data.votes is not None:
        chosen[VOTES] = numbers("votes", data.votes)
    if data.group is not None:
        chosen[GROUP] = column("group", data.group)
    else:
        # several rows of one image or galaxy must not be divided either
        names = [name for key, name in (more or {}).items() if key in ("id", "file")]
        for name in names or ({"id"} & set(chosen.colnames)):
            if len(np.unique(chosen[name].astype(str))) < len(chosen):
                chosen[GROUP] = chosen[name]
    if data.fold is not None:
        folds = np.ma.asarray(column("fold", data.fold))
        folds = folds if folds.dtype.kind in "uif" else folds.astype(str)
        test = np.ma.filled(folds == data.test_fold, False)
        if not np.any(test) or np.all(test):
            known = np.unique(folds.compressed())[:20].tolist()
            raise ConfigurationError(
                f"[data] test_fold: found {data.test_fold!r}; the column {data.fold!r}"
                f" has {known}"
            )
        chosen[TEST] = test
    return chosen


def with_flags(table, stamps):
    """Add the flags, and the reasons why some galaxies cannot be used."""
    table["morph_flags"] = stamps.flags
    failures = []
    for row in np.flatnonzero((stamps.flags & NOT_CLASSIFIED) != 0).tolist():
        reason = stamps.failures.get(row) or ", ".join(decode_flags(stamps.flags[row]))
        failures.append({"row": row, "reason": reason})
        if "id" in table.colnames:
            failures[-1]["id"] = str(table["id"][row])
    table.meta["galmorph"] = {"failures": failures}
    return table


def existing(data, key, folder=False):
    """Path of a file or folder that the settings name."""
    path = data.root / getattr(data, key)
    if not (path.is_dir() if folder else path.is_file()):
        raise ConfigurationError(
            f"[data] {key}: there is no {'folder' if folder else 'file'} {path}"
        )
    return path


def tell(table, scheme, say, listing=None):
    """
    Say how many galaxies can be used, and why some cannot.

    ``listing`` is the file, if any, in which a run of a TOML file lists all.
    """
    failures = table.meta.get("galmorph", {}).get("failures", [])
    for failure in failures[:_MOST_TOLD]:
        name = f" ({failure['id']})" if "id" in failure else ""
        say(f"row {failure['row']}{name}: {failure['reason']}")
    if len(failures) > _MOST_TOLD:
        where = f", which {listing} lists" if listing else ""
        say(f"and {len(failures) - _MOST_TOLD} more{where}")
    labels = scheme.labels(table)
    labelled = np.isfinite(labels).any(axis=1)
    usable = usable_rows(labels, table)
    if GROUP in table.colnames:
        groups = np.ma.asarray(table[GROUP])
        say(f"{len(np.unique(groups.compressed()))} groups of galaxies stay whole")
    missing = f"; {(~labelled).sum()} have no label" if not labelled.all() else ""
    say(f"{usable.sum()} of {len(table)} galaxies can be used{missing}")
    if not usable.any():
        first = f"; the first: {failures[0]['reason']}" if failures else ""
        raise ConfigurationError(
            f"{'[data]' if listing else 'data'}: none of the {len(table)} galaxies can"
            f" be used{first}"
        )

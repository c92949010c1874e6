# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Tables of labels under the names that a run knows them by.
"""

import numpy as np
from astropy import units as u
from astropy.table import QTable

from galmorph.core import ConfigurationError, GalmorphError, decode_flags, get_scheme
from galmorph.images import NOT_CLASSIFIED
from galmorph.tables import read_table

__all__ = ["GROUP", "TEST", "VOTES", "existing", "read_labels", "with_flags"]

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
            return _numbers(column(key, name))
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


def _numbers(column):
    """Float array of a column, NaN where it is masked; per cent are fractions."""
    if hasattr(column, "to_value"):
        column = column.to_value(u.one)
    mask = getattr(column, "mask", False)
    plain = np.array(getattr(column, "unmasked", column), dtype=float)
    return np.where(mask, np.nan, plain)


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

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
One writer and one reader for each format of tables.

What a format has no place for goes into one JSON document beside the data:
the meta, the names of masked columns and, where the format is not astropy's
own, the unit, type and description of each column and the frame of a SkyCoord.
"""

import json
import re
import warnings

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits, votable
from astropy.io.misc import yaml
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.utils.exceptions import AstropyWarning
from astropy.utils.masked import Masked

from galmorph.core import CatalogError, import_optional

__all__ = [
    "KEYWORD",
    "READERS",
    "WRITERS",
    "from_fits",
    "from_parquet",
    "quiet",
    "split",
    "to_parquet",
]

_KEY = "galmorph"
KEYWORD = "GALMORPH"
_MASKED_TEXT = "masked_text"
_MaskedQuantity = Masked(u.Quantity)


def _write_ecsv(table, path):
    table = table.copy(copy_data=False)
    # ECSV does not tell empty text from masked text
    masked = [n for n in _masked_columns(table) if table[n].dtype.kind in "SU"]
    if masked:
        table.meta = {**table.meta, _MASKED_TEXT: masked}
    table.write(path, format="ascii.ecsv")


def _read_ecsv(path):
    table = QTable.read(path, format="ascii.ecsv")
    masked = table.meta.pop(_MASKED_TEXT, [])
    for name in _masked_columns(table):
        if table[name].dtype.kind in "SU" and name not in masked:
            _replace(table, name, np.ma.filled(table[name], ""))
    return table


def _write_fits(table, path):
    table = table.copy(copy_data=False)
    document = {"meta": table.meta, "masked": _masked_columns(table)}
    for name in document["masked"]:
        if table[name].dtype.kind == "b":  # FITS has no masked truth values
            table[name].info.serialize_method["fits"] = "data_mask"
    table.meta = {k: v for k, v in table.meta.items() if _is_card(k, v)}
    table.meta[KEYWORD] = _to_json(document)
    table.write(path, format="fits")


def _read_fits(path):
    with fits.open(path) as hdus:
        ours = any(KEYWORD in hdu.header for hdu in hdus)
    return from_fits(path, ours)


def from_fits(source, ours):
    """Table of a FITS file or of one HDU; whether `write_table` wrote it."""
    table = QTable.read(
        source,
        format="fits",
        character_as_bytes=False,
        mask_invalid=False,
        astropy_native=ours,
    )
    document = _from_json(table.meta.pop(KEYWORD, None))
    for name in table.colnames:
        column = table[name]
        if isinstance(column, Column) or type(column) in (u.Quantity, _MaskedQuantity):
            _to_native(table, name, name in document.get("masked", ()))
    # cards may have been edited since, the document not
    table.meta = {**document.get("meta", {}), **table.meta}
    return table


def _is_card(key, value):
    """Whether an entry of the meta is a FITS card as it is."""
    if not re.fullmatch("[A-Z0-9_-]{1,8}", str(key)) or key == KEYWORD:
        return False
    if isinstance(value, str):
        return value.isascii() and value.isprintable() and value == value.strip()
    return isinstance(value, (bool, int)) or (
        isinstance(value, float) and np.isfinite(value)
    )


def _to_native(table, name, was_masked):
    """Native byte order; masked where a masked column has NaN or no text."""
    values = np.ma.asarray(_plain(table[name]))
    mask = np.ma.getmaskarray(values).copy()
    values = np.ma.getdata(values)
    if was_masked and values.dtype.kind == "f":
        mask |= np.isnan(values)
    if was_masked and values.dtype.kind == "U":
        mask |= values == ""
    if was_masked or mask.any():
        values = np.ma.MaskedArray(values, mask)
    _replace(table, name, values)


def _write_votable(table, path):
    columns, document = split(table)
    plain = Table()
    for name, (values, unit, description, ucd) in columns.items():
        kind = MaskedColumn if isinstance(values, np.ma.MaskedArray) else Column
        meta = {"ucd": ucd} if ucd else None
        plain[name] = kind(values, unit=unit, description=description, meta=meta)
    file = votable.from_table(plain)
    info = votable.tree.Info(name=_KEY, value=_to_json(document))
    file.get_first_table().infos.append(info)
    file.to_xml(str(path))


def _read_votable(path):
    element = votable.parse(str(path)).get_first_table()
    table = element.to_table(use_names_over_ids=True)
    for info in element.infos:
        if info.name == _KEY:
            columns = {name: np.ma.asarray(table[name]) for name in table.colnames}
            for name, values in columns.items():
                if values.dtype.kind == "U":
                    columns[name] = np.ma.MaskedArray(values, values.data == "")
            return _join(columns, _from_json(info.value))
    return QTable(table)


def _write_parquet(table, path):
    pa = import_optional("pyarrow", "all")
    parquet = import_optional("pyarrow.parquet", "all")
    parquet.write_table(to_parquet(pa, *split(table)), str(path))


def to_parquet(pa, columns, document):
    """Arrow table of what `split` made of a table."""
    arrays, fields = [], []
    for name, (values, unit, description, _) in columns.items():
        arrays.append(_to_arrow(pa, values))
        texts = {"unit": unit and unit.to_string(), "description": description}
        metadata = {key: text for key, text in texts.items() if text}
        fields.append(pa.field(name, arrays[-1].type, metadata=metadata))
    schema = pa.schema(fields, metadata={_KEY: _to_json(document)})
    return pa.Table.from_arrays(arrays, schema=schema)


def _read_parquet(path):
    pa = import_optional("pyarrow", "all")
    parquet = import_optional("pyarrow.parquet", "all")
    with open(path, "rb") as file:
        return from_parquet(pa, parquet.read_table(file))


def from_parquet(pa, table):
    """Table of an Arrow table that was read from Parquet."""
    columns = {name: _from_arrow(pa, table[name]) for name in table.column_names}
    document = (table.schema.metadata or {}).get(_KEY.encode())
    return _join(columns, _from_json(document)) if document else QTable(columns)


def _to_arrow(pa, values):
    mask = np.ma.getmaskarray(values)
    values = np.ma.getdata(values)
    if values.ndim == 1:
        return pa.array(values, mask=mask if mask.any() else None)
    flat = pa.array(np.ascontiguousarray(values).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, int(np.prod(values.shape[1:])))


def _from_arrow(pa, column):
    column = column.combine_chunks()
    if pa.types.is_fixed_size_list(column.type):
        values = column.flatten().to_numpy(zero_copy_only=False)
        return values.reshape(len(column), column.type.list_size)
    mask = column.is_null().to_numpy(zero_copy_only=False)
    text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if text:
        values = np.array(column.fill_null("").to_pylist(), dtype=str)
    elif pa.types.is_boolean(column.type):
        values = column.fill_null(False).to_numpy(zero_copy_only=False)
    else:
        # nulls would turn integers into floats
        filled = column.fill_null(0) if mask.any() else column
        values = filled.to_numpy(zero_copy_only=False)
    return np.ma.MaskedArray(values, mask) if mask.any() else values


def split(table):
    """Plain columns, and the document that tells how to put them together."""
    columns, described = {}, []
    for name in table.colnames:
        column = table[name]
        entry = {"name": name, "description": column.info.description}
        if isinstance(column, SkyCoord):
            entry["frame"], parts = _split_sky(name, column)
            if clash := [part for part in parts if part in table.colnames]:
                raise CatalogError(
                    f"table: the columns {clash} have the names that the"
                    f" coordinates of {name!r} need; rename them"
                )
            columns.update(parts)
        elif isinstance(column, (Column, u.Quantity)) and column.dtype.kind in "biufSU":
            values, unit = _plain(column), column.info.unit
            entry["dtype"] = values.dtype.str
            entry["shape"] = values.shape[1:]
            entry["unit"] = None if unit is None else unit.to_string()
            entry["masked"] = isinstance(values, np.ma.MaskedArray)
            entry["quantity"] = isinstance(column, u.Quantity)
            columns[name] = (values, unit, column.info.description, None)
        else:
            raise CatalogError(
                f"table: this format cannot hold the column {name!r}"
                f" ({type(column).__name__}); use ECSV, or convert the column"
            )
        described.append(entry)
    return columns, {"meta": dict(table.meta), "columns": described}


def _split_sky(name, coord):
    if coord.data.__class__.__name__ != "UnitSphericalRepresentation":
        raise CatalogError(
            f"table: this format cannot hold the distances of the column {name!r};"
            " use ECSV or FITS"
        )
    names = {v: k for k, v in coord.frame.representation_component_names.items()}
    parts = {}
    for axis, of in (("lon", coord.spherical.lon), ("lat", coord.spherical.lat)):
        part = names[axis]
        values = np.ma.filled(_plain(of.to(u.deg)), np.nan)
        ucd = f"pos.eq.{part};meta.main" if part in ("ra", "dec") else None
        parts[f"{name}.{part}"] = (values, u.deg, f"{name}, {part}", ucd)
    empty = SkyCoord([], [], unit=u.deg, frame=coord.frame.replicate_without_data())
    return yaml.dump(empty), parts


def _join(columns, document):
    """Put together what `split` took apart."""
    table = QTable()
    for entry in document["columns"]:
        name = entry["name"]
        if "frame" in entry:
            frame = yaml.load(entry["frame"]).frame.replicate_without_data()
            names = {v: k for k, v in frame.representation_component_names.items()}
            lon, lat = (
                np.ma.filled(np.ma.asarray(columns[f"{name}.{names[axis]}"]), np.nan)
                for axis in ("lon", "lat")
            )
            table[name] = SkyCoord(lon, lat, unit=u.deg, frame=frame)
        else:
            table[name] = _restore(columns[name], entry)
        table[name].info.description = entry["description"]
    table.meta = document["meta"]
    return table


def _restore(values, entry):
    dtype = np.dtype(entry["dtype"])
    mask = np.ma.getmaskarray(values)
    if dtype.kind in "fSU":
        values = np.ma.filled(values, np.nan if dtype.kind == "f" else "")
    shape = (len(values), *entry["shape"])
    values = np.ma.getdata(values).astype(dtype, copy=False).reshape(shape)
    if entry["masked"]:
        values = np.ma.MaskedArray(values, mask.reshape(shape))
    unit = entry["unit"]
    if unit is not None:
        unit = u.Unit(unit, parse_strict="silent")
    return _column(values, unit, entry["quantity"])


def _column(values, unit, quantity):
    masked = isinstance(values, np.ma.MaskedArray)
    if not quantity:
        return (MaskedColumn if masked else Column)(values, unit=unit)
    return (Masked(values.data, mask=values.mask) if masked else values) << unit


def _replace(table, name, values):
    """Replace a column's values, and keep the rest of it."""
    old = table[name]
    new = _column(values, old.info.unit, isinstance(old, u.Quantity))
    new.info.description = old.info.description
    new.info.meta = old.info.meta
    table.replace_column(name, new)


def _plain(column):
    """A native array without unit; a masked array where the column is masked."""
    masked = isinstance(column, (MaskedColumn, Masked))
    values = getattr(column, "unmasked", column)
    values = np.asarray(getattr(values, "value", values))
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    return np.ma.MaskedArray(values, column.mask) if masked else values


def _masked_columns(table):
    return [n for n in table.colnames if isinstance(table[n], (MaskedColumn, Masked))]


def _to_json(document):
    def plain(value):
        if isinstance(value, (np.generic, np.ndarray)):
            return value.tolist()
        return str(value)

    return json.dumps(document, default=plain)


def _from_json(text):
    return json.loads(text) if text else {}


def quiet(function):
    """Keep what astropy has to say on units and keywords to ourselves."""

    def wrapper(*args):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            return function(*args)

    return wrapper


WRITERS = {
    "ecsv": quiet(_write_ecsv),
    "fits": quiet(_write_fits),
    "votable": quiet(_write_votable),
    "parquet": quiet(_write_parquet),
}
"""Functions of a table and a path, by format."""

READERS = {
    "ecsv": quiet(_read_ecsv),
    "fits": quiet(_read_fits),
    "votable": quiet(_read_votable),
    "parquet": quiet(_read_parquet),
}
"""Functions of a path that return a QTable, by format."""

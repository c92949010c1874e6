# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Positions of the sources of a catalogue, in pixels.
"""

import warnings

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from galmorph.core import CatalogError

__all__ = ["Positions", "find_positions", "pixel_positions"]

# names are compared in lower case and without underscores and spaces
_SKY_NAMES = ("skycentroid", "coord", "coords", "skycoord", "position")
_SKY_PAIRS = (
    ("ra", "dec"),
    ("ra", "de"),
    ("raj2000", "dej2000"),
    ("raj2000", "decj2000"),
    ("raicrs", "deicrs"),
    ("raicrs", "decicrs"),
    ("alphaj2000", "deltaj2000"),
    ("alphasky", "deltasky"),
    ("radeg", "decdeg"),
    ("radeg", "dedeg"),
    ("rightascension", "declination"),
    ("xworld", "yworld"),
)
_PIXEL_PAIRS = (
    ("xcentroid", "ycentroid"),
    ("x", "y"),
    ("xpix", "ypix"),
    ("xpixel", "ypixel"),
)
# SourceExtractor counts the centre of the first pixel as 1
_ONE_BASED_PAIRS = (("xwinimage", "ywinimage"), ("ximage", "yimage"))

# a position that comes back from its pixel elsewhere has no pixel
_TOLERANCE = 0.01 * u.arcsec


def pixel_positions(catalog, wcs=None, position=None):
    """
    Find the positions of a catalogue's sources in the pixels of an image.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        The catalogue.
    wcs : `~astropy.wcs.WCS`, optional
        Celestial WCS of the image; needed for positions on the sky.
    position : str, pair, dict, or `~astropy.coordinates.SkyCoord`, optional
        The name of a SkyCoord column; a pair of column names, right ascension
        and declination or x and y; a dict that says which these are,
        ``{'ra': name, 'dec': name}``, in degrees where they have no unit, or
        ``{'x': name, 'y': name}``; a SkyCoord in any frame with one position
        per row; or a pair of arrays, x and y in 0-based pixels (or, with units
        of angle, right ascension and declination). By default columns are
        found by name, see Notes.

    Returns
    -------
    x, y : `~numpy.ndarray`
        Positions of shape (rows,), float, in pixels; the centre of the first
        pixel is (0, 0). NaN where a position is masked, not finite, or has no
        pixel (such as the other side of the sky).

    Raises
    ------
    CatalogError
        If no positions are found, if it is ambiguous which they are, if
        they do not fit the catalogue, or if they are on the sky and the image
        has no WCS.

    Notes
    -----
    Names are compared without regard to case, underscores and spaces. With a
    WCS, positions on the sky go first: the SkyCoord column ``sky_centroid``,
    ``coord``, ``coords``, ``skycoord``, ``sky_coord`` or ``position``, else
    the only SkyCoord column; then pairs such as ``ra, dec``,
    ``RAJ2000, DEJ2000``, ``ALPHA_J2000, DELTA_J2000``, ``X_WORLD, Y_WORLD``,
    taken as ICRS, in degrees where they have no unit. Then 0-based pixels:
    ``x_centroid, y_centroid``, ``x, y``; and last SourceExtractor's
    ``XWIN_IMAGE, YWIN_IMAGE`` and ``X_IMAGE, Y_IMAGE``, which count from 1
    and are converted, also when they are named by ``position``.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galmorph.tables import pixel_positions
    >>> pixel_positions(Table({"X_IMAGE": [1.0, 11.5], "Y_IMAGE": [1.0, 21.0]}))
    (array([ 0. , 10.5]), array([ 0., 20.]))
    """
    return find_positions(catalog, wcs is not None, position).to_pixels(wcs)


class Positions:
    """
    The positions of a catalogue's sources, in whatever they were given.

    Parameters
    ----------
    frame : frame of `~astropy.coordinates` or str or None
        Frame of the sky; `None` for pixels.
    first, second : `~numpy.ndarray`
        Longitude and latitude in degrees, or x and y in 0-based pixels; NaN where
        there is no position.
    """

    def __init__(self, frame, first, second):
        self._frame, self._first, self._second = frame, first, second

    @property
    def known(self):
        """Which positions are such, bool of shape (rows,)."""
        good = np.isfinite(self._first) & np.isfinite(self._second)
        return good if self._frame is None else good & (np.abs(self._second) <= 90)

    @property
    def sky(self):
        """
        The `~astropy.coordinates.SkyCoord` of all rows, on the pole where there is
        no position; `None` for pixels.
        """
        if self._frame is None:
            return None
        lon, lat = (np.where(self.known, v, 90) for v in (self._first, self._second))
        return SkyCoord(lon, lat, unit=u.deg, frame=self._frame)

    def __getitem__(self, rows):
        return Positions(self._frame, self._first[rows], self._second[rows])

    def to_pixels(self, wcs):
        """
        The positions in the pixels of an image.

        Parameters
        ----------
        wcs : `~astropy.wcs.WCS` or None

        Returns
        -------
        x, y : `~numpy.ndarray`
            As `pixel_positions` returns them.

        Raises
        ------
        CatalogError
            If they are on the sky and there is no WCS.
        """
        first, second = self._first, self._second
        if self._frame is None:
            return tuple(np.where(self.known, v, np.nan) for v in (first, second))
        if wcs is None:
            raise CatalogError(
                "position: the catalogue's positions are on the sky and the image has"
                " no WCS; give the names of the columns of pixels, for example"
                " position=('x', 'y')"
            )
        return _sky_to_pixels(self._frame, first, second, wcs)


def find_positions(catalog, on_sky, position=None):
    """
    Find the positions of a catalogue's sources.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        The catalogue.
    on_sky : bool
        Whether positions on the sky can be used, and so go first.
    position : optional
        As for `pixel_positions`.

    Returns
    -------
    positions : `Positions`

    Raises
    ------
    CatalogError
        If no positions are found, if it is ambiguous which they are, or if they
        do not fit the catalogue.
    """
    kind, first, second = _find(catalog, on_sky, position)
    n_rows = len(catalog)
    for values in (first, second):
        if values.shape != (n_rows,):
            raise CatalogError(
                f"position: found positions of shape {values.shape} for a catalogue"
                f" of {n_rows} rows; give one position per row"
            )
    return Positions(None if kind == "pixels" else kind, first, second)


def _find(catalog, on_sky, position):
    """Give what the positions are, 'pixels' or a frame, and both coordinates."""
    if position is None:
        return _find_by_name(catalog, on_sky)
    if isinstance(position, dict):
        return _named(catalog, position)
    if isinstance(position, SkyCoord):
        return _sky_column(position)
    if isinstance(position, str):
        column = _column(catalog, position)
        if not isinstance(column, SkyCoord):
            raise CatalogError(
                f"position: the column {position!r} is no SkyCoord; give the names"
                " of both columns, for example position=('ra', 'dec')"
            )
        return _sky_column(column)
    if len(position) != 2:
        raise CatalogError(
            f"position: expected a pair, found {len(position)} items; give"
            " ('ra', 'dec'), ('x', 'y') or two arrays"
        )
    if all(isinstance(name, str) for name in position):
        return _pair(catalog, *position)
    first, second = position
    kind = "sky" if _is_angle(first) or _is_angle(second) else "pixels"
    return _values(kind, first, second, "position")


def _named(catalog, position):
    """Columns of which is said what they are."""
    for kind, keys in (("sky", ("ra", "dec")), ("pixels", ("x", "y"))):
        if set(position) == set(keys):
            names = tuple(position[key] for key in keys)
            columns = [_column(catalog, name) for name in names]
            return _from_zero(*_values(kind, *columns, names), names)
    raise CatalogError(
        f"position: expected the keys 'ra' and 'dec', or 'x' and 'y'; found"
        f" {sorted(position)}"
    )


def _find_by_name(catalog, on_sky):
    coords, known = [], {}
    for name in catalog.colnames:
        if isinstance(catalog[name], SkyCoord):
            coords.append(name)
        else:
            known.setdefault(_simple(name), []).append(name)
    # each candidate lists the columns that could be each of its coordinates
    sky = [[[n for n in coords if _simple(n) == simple]] for simple in _SKY_NAMES]
    sky += [[coords], *_pairs(known, _SKY_PAIRS)]
    pixels = _pairs(known, _PIXEL_PAIRS + _ONE_BASED_PAIRS)
    sky, pixels = [c for c in sky if all(c)], [c for c in pixels if all(c)]
    if not sky and not pixels:
        raise CatalogError(
            f"position: found no columns of positions among {catalog.colnames};"
            " name them, for example position=('ra', 'dec')"
        )
    found = sky[0] if sky and (on_sky or not pixels) else pixels[0]
    for names in found:
        if len(names) > 1:
            raise CatalogError(
                f"position: each of the columns {names} could be meant; say which,"
                f" for example position={names[0]!r} or a pair of names"
            )
    names = [names[0] for names in found]
    return _sky_column(catalog[names[0]]) if len(names) == 1 else _pair(catalog, *names)


def _pairs(known, pairs):
    return [[known.get(first, []), known.get(second, [])] for first, second in pairs]


def _simple(name):
    return name.lower().replace("_", "").replace(" ", "")


def _column(catalog, name):
    if name not in catalog.colnames:
        raise CatalogError(
            f"position: there is no column {name!r}; found {catalog.colnames}"
        )
    return catalog[name]


def _pair(catalog, first, second):
    """Both coordinates of a pair of columns; their names and units tell the kind."""
    names = (first, second)
    columns = [_column(catalog, name) for name in names]
    simple = tuple(_simple(name) for name in names)
    is_sky = simple in _SKY_PAIRS or any(_is_angle(column) for column in columns)
    return _from_zero(*_values("sky" if is_sky else "pixels", *columns, names), names)


def _from_zero(kind, x, y, names):
    if kind == "pixels" and tuple(map(_simple, names)) in _ONE_BASED_PAIRS:
        x, y = x - 1, y - 1
    return kind, x, y


def _is_angle(values):
    unit = getattr(values, "unit", None)
    return unit is not None and unit.is_equivalent(u.deg) and unit != u.one


def _values(kind, first, second, names):
    unit = u.deg if kind == "sky" else u.pix
    first, second = _plain(first, unit, names), _plain(second, unit, names)
    return ("icrs" if kind == "sky" else kind), first, second


def _plain(values, unit, names):
    """Float array in a unit, NaN where masked; without a unit it is taken as is."""
    if isinstance(values, SkyCoord):
        raise CatalogError(
            f"position: {names} has a SkyCoord; give it alone, not in a pair"
        )
    own = getattr(values, "unit", None)
    mask = (
        np.ma.getmaskarray(values)
        if isinstance(values, np.ma.MaskedArray)
        else (getattr(values, "mask", False))
    )
    values = getattr(values, "unmasked", values)
    try:
        plain = np.array(getattr(values, "value", values), dtype=float)
        if own is not None and own != u.dimensionless_unscaled:
            plain = (plain * own).to_value(unit)
    except (TypeError, ValueError) as error:
        raise CatalogError(
            f"position: the columns {names} cannot be read as {unit}"
            f" ({' '.join(str(error).split())}); give a SkyCoord or numbers"
        ) from error
    return np.where(mask, np.nan, plain)


def _sky_column(coord):
    spherical = coord.spherical
    return (
        coord.frame.replicate_without_data(),
        _plain(spherical.lon, u.deg, "sky"),
        _plain(spherical.lat, u.deg, "sky"),
    )


def _sky_to_pixels(frame, lon, lat, wcs):
    x, y = np.full(lon.shape, np.nan), np.full(lon.shape, np.nan)
    usable = np.flatnonzero(np.isfinite(lon) & (np.abs(lat) <= 90))
    if usable.size == 0:
        return x, y
    coord = SkyCoord(lon[usable], lat[usable], unit=u.deg, frame=frame)
    with warnings.catch_warnings():
        # distortions do not converge far outside of the image
        warnings.simplefilter("ignore")
        px, py = (np.asarray(p, dtype=float) for p in wcs.world_to_pixel(coord))
        finite = np.isfinite(px) & np.isfinite(py)
        back = wcs.pixel_to_world(np.where(finite, px, 0), np.where(finite, py, 0))
        good = finite & (back.separation(coord) < _TOLERANCE)
    x[usable[good]], y[usable[good]] = px[good], py[good]
    return x, y

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Where the labelled stamps of a run come from: the section [data] of its file.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path

from galmorph.core import ConfigurationError
from galmorph.training._sections import check_integer, read_section

__all__ = [
    "ArraysConfig",
    "CutoutsConfig",
    "MosaicConfig",
    "SeveralConfig",
    "SimulationConfig",
    "TableConfig",
    "read_data",
]


class _Recorded:
    # what the data do not depend on
    _not_recorded = ("root", "n_workers")

    def record(self):
        """
        What the data depend on, as plain data.

        Returns
        -------
        record : dict
            With the ``source``, and without what was left at nothing.
        """
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {
            "source": self.source,
            **{
                name: list(value) if isinstance(value, tuple) else value
                for name, value in values.items()
                if name not in self._not_recorded and value not in (None, {}, ())
            },
        }


@dataclass(frozen=True)
class SimulationConfig(_Recorded):
    """
    Which simulated galaxies a run trains with.

    Parameters
    ----------
    n : int
        Number of galaxies.
    seed : int, optional
        Seed of the simulation.
    side : int, optional
        Side of the stamps in pixels; the margin around what the network sees
        keeps empty corners out of turned stamps.
    n_workers : int, optional
        Number of processes; 0 for all cores. The galaxies do not depend on it.
    instrument : str, optional
        Name of the camera and filter, see `~galmorph.simulation.get_instrument`;
        WFC3/IR F160W where it is not given.
    n_votes : int, optional
        Number of virtual people whose votes are drawn; where it is not given,
        the fractions are those expected of infinitely many.

    Raises
    ------
    ConfigurationError
        If a value is out of its range.

    Examples
    --------
    >>> from galmorph.training import SimulationConfig
    >>> SimulationConfig(n=1000).side
    64
    """

    n: int
    seed: int = 1
    side: int = 64
    n_workers: int = 0
    instrument: str | None = None
    n_votes: int | None = None

    source = "simulation"

    def __post_init__(self):
        for name, least in {"n": 10, "seed": 0, "side": 1, "n_workers": 0}.items():
            check_integer(name, getattr(self, name), least)
        if self.n_votes is not None:
            check_integer("n_votes", self.n_votes, 1)


@dataclass(frozen=True, kw_only=True)
class TableConfig(_Recorded):
    """
    Where the labels of real galaxies are, and what belongs together.

    Parameters
    ----------
    table : str
        File of the labels: ECSV, FITS, VOTable, Parquet or CSV, one row for each
        galaxy. A label that is masked or NaN is missing.
    columns : dict, optional
        Column of the table for an output of the scheme, where the name differs:
        ``{"f_spheroid": "any_spheroid"}``.
    prefix : str, optional
        What the columns of all other outputs have in front instead of ``f_``:
        with ``"any_"`` the output ``f_disk`` is the column ``any_disk``.
    missing : sequence of str, optional
        Outputs that the table has no labels for.
    votes : str or dict, optional
        Column with the number of votes of a galaxy, or one column for each output.
    group : str, optional
        Column that says what belongs together, such as the field on the sky or
        the galaxy of several images: a group is never divided.
    fold : str, optional
        Column of a split that was made before.
    test_fold : int or str, optional
        The fold to test with, instead of a random share.
    side : int, optional
        Side of the stamps in pixels; the margin around what the network sees
        keeps empty corners out of turned stamps.
    root : path-like, optional
        Folder that the names of files start from; in a TOML file its own.

    Raises
    ------
    ConfigurationError
        If a value is out of its range, or if one of ``fold`` and ``test_fold``
        lacks the other.
    """

    table: str
    columns: dict = field(default_factory=dict)
    prefix: str | None = None
    missing: tuple = ()
    votes: str | dict | None = None
    group: str | None = None
    fold: str | None = None
    test_fold: int | str | None = None
    side: int = 64
    root: Path = Path()

    def __post_init__(self):
        check_integer("side", self.side, 1)
        if (self.fold is None) != (self.test_fold is None):
            raise ConfigurationError("fold, test_fold: one needs the other")

    def column_of(self, output):
        """
        Column of the table that holds the labels of an output.

        Parameters
        ----------
        output : str

        Returns
        -------
        column : str

        Examples
        --------
        >>> from galmorph.training import TableConfig
        >>> config = TableConfig(table="a.ecsv", prefix="any_")
        >>> config.column_of("f_disk")
        'any_disk'
        """
        if output in self.columns or self.prefix is None:
            return self.columns.get(output, output)
        return self.prefix + output.removeprefix("f_")


@dataclass(frozen=True, kw_only=True)
class ArraysConfig(TableConfig):
    """
    Images of one size in one file, and a table in the same order.

    Parameters
    ----------
    images : str
        An ``.npy`` file, or an ``.npz`` file with one array of images, of shape
        (n, side, side[, bands]).
    key : str, optional
        Name of the array, where an ``.npz`` file has several of images.
    prepared : bool, optional
        `False`: the images are pixels of a camera, and the preprocessor finds the
        galaxy in the middle, its centre and size. `True`: they are framed as the
        network shall see them, such as stamps or pictures for display. Then they
        are only resampled to ``side``, and whole numbers are divided so that the
        largest that their type can hold becomes the preprocessor's ``peak``.
    pixel_scale : float, optional
        Arcseconds per pixel.
    **labels
        Parameters of `TableConfig`.

    Examples
    --------
    >>> from galmorph.training import ArraysConfig
    >>> ArraysConfig(images="stamps.npz", table="votes.ecsv").prepared
    False
    """

    images: str
    key: str | None = None
    prepared: bool = False
    pixel_scale: float | None = None

    source = "arrays"


@dataclass(frozen=True, kw_only=True)
class CutoutsConfig(TableConfig):
    """
    A folder of FITS files, one for each galaxy, which is in the middle.

    Parameters
    ----------
    images : str, optional
        The folder.
    id : str, optional
        Column of the table: the file of a galaxy is the one whose name, with or
        without its suffixes, is this.
    file : str, optional
        Column of the table with the names of the files within the folder,
        instead of ``id``.
    hdu : int or str, optional
        Extension of the files; the first image where it is not given.
    pixel_scale : float, optional
        Arcseconds per pixel; by default from the files.
    **labels
        Parameters of `TableConfig`.

    Examples
    --------
    >>> from galmorph.training import CutoutsConfig
    >>> CutoutsConfig(images="cutouts", table="votes.ecsv").id
    'id'
    """

    images: str = "."
    id: str = "id"
    file: str | None = None
    hdu: int | str | None = None
    pixel_scale: float | None = None

    source = "cutouts"


@dataclass(frozen=True, kw_only=True)
class MosaicConfig(TableConfig):
    """
    A large image, and a catalogue of it with labels.

    A name of a file may end in the extension that is meant, in brackets:
    ``"field.fits[SCI]"``.

    Parameters
    ----------
    image : str
        FITS file.
    rms, weight : str, optional
        FITS file of the standard deviation of the pixels, or of the inverse
        variance; 0 where there are no data.
    mask : str, optional
        FITS file; pixels other than 0 are bad.
    segmentation : str, optional
        FITS file; 0 is sky.
    label : str, optional
        Column of the table with the galaxy's value in the segmentation.
    position : str or pair of str, optional
        Column or columns of the positions, as in
        `~galmorph.tables.pixel_positions`, which by default finds them.
    pixel_scale : float, optional
        Arcseconds per pixel; by default from the image.
    **labels
        Parameters of `TableConfig`.

    Examples
    --------
    >>> from galmorph.training import MosaicConfig
    >>> MosaicConfig(image="field.fits[SCI]", table="field.ecsv").side
    64
    """

    image: str
    rms: str | None = None
    weight: str | None = None
    mask: str | None = None
    segmentation: str | None = None
    label: str | None = None
    position: str | tuple | None = None
    pixel_scale: float | None = None

    source = "mosaic"

    def __post_init__(self):
        super().__post_init__()
        if self.rms is not None and self.weight is not None:
            raise ConfigurationError("rms, weight: give one of them")
        if self.label is not None and self.segmentation is None:
            raise ConfigurationError("label: it needs a segmentation")


@dataclass(frozen=True)
class SeveralConfig:
    """
    Several sources, of which a run trains with all.

    Parameters
    ----------
    sources : tuple
        The sources. Their stamps have one side.

    Raises
    ------
    ConfigurationError
        If their stamps differ in size.

    Examples
    --------
    >>> from galmorph.training import SeveralConfig, SimulationConfig
    >>> SeveralConfig((SimulationConfig(n=100), SimulationConfig(n=50, seed=2))).side
    64
    """

    sources: tuple

    source = "several"

    def __post_init__(self):
        sides = sorted({source.side for source in self.sources})
        if len(sides) != 1:
            raise ConfigurationError(
                f"side: found {sides}; it must be the same in all sources"
            )

    @property
    def side(self):
        """Side of the stamps in pixels."""
        return self.sources[0].side

    def record(self):
        """
        What the data depend on, as plain data.

        Returns
        -------
        record : dict
        """
        records = [source.record() for source in self.sources]
        return {"source": self.source, "sources": records}


_SOURCES = {
    kind.source: kind
    for kind in (SimulationConfig, ArraysConfig, CutoutsConfig, MosaicConfig)
}
# without them there is no run
_NEEDED = {
    "simulation": {"n": "the number of galaxies"},
    "arrays": {"images": "the file of the images", "table": "the file of the labels"},
    "cutouts": {"table": "the file of the labels"},
    "mosaic": {"image": "the FITS file", "table": "the file of the catalogue"},
}


def read_data(path, values, scheme):
    """
    Read the section [data].

    Parameters
    ----------
    path : `~pathlib.Path`
        The TOML file, for errors and as the place that other files are looked
        for from.
    values : dict or list of dict
        What the section has; a list for several sections ``[[data]]``.
    scheme : `~galmorph.core.LabelScheme`
        Its outputs are what ``columns`` and ``votes`` may name.

    Returns
    -------
    data : `SimulationConfig`, `ArraysConfig`, `CutoutsConfig`, `MosaicConfig` or \
`SeveralConfig`

    Raises
    ------
    ConfigurationError
        If the source, a key or a value is not known, or one is missing.
    """
    if isinstance(values, list):
        sources = tuple(read_data(path, each, scheme) for each in values)
        try:
            return SeveralConfig(sources)
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: [[data]] {error}") from error
    values = dict(values)
    source = values.pop("source", "simulation")
    if source not in _SOURCES:
        raise ConfigurationError(
            f"{path}: [data] source: found {source!r}; known are {list(_SOURCES)}"
        )
    for key, meaning in _NEEDED[source].items():
        if key not in values:
            raise ConfigurationError(f"{path}: [data] needs {key}, {meaning}")
    kind = _SOURCES[source]
    more = {"root": path.parent} if issubclass(kind, TableConfig) else {}
    data = read_section(path, "data", kind, values, ("source",), **more)
    for key in ("columns", "votes", "missing"):
        named = values.get(key, ())
        unknown = () if isinstance(named, str) else set(named) - set(scheme.outputs)
        if unknown:
            raise ConfigurationError(
                f"{path}: [data] {key}: {sorted(unknown)} are no outputs of the"
                f" scheme {scheme.name!r}; it has {list(scheme.outputs)}"
            )
    return data

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Model bundles: a folder or ``.zip`` file with all that a trained model is.

``config.json`` says what the outputs mean, how stamps are made and how the
network is built; ``card.md`` is for people; each member of the ensemble has a
file of weights. A bundle is data: nothing in it is ever executed.
"""

import contextlib
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from galmorph import __version__
from galmorph.core import BundleError, ConfigurationError, LabelScheme, get_scheme
from galmorph.models._config import CONFIG, FORMAT, check_config
from galmorph.models._files import (
    copy_files,
    digest_of,
    list_files,
    read_file,
    write_files,
)
from galmorph.models._weights import read_weights, write_weights
from galmorph.models.domain import Domain

__all__ = ["ModelBundle", "copy_bundle", "load_bundle", "save_bundle"]

CARD = "card.md"
DOMAIN = "member-0.domain.h5"


@dataclass
class ModelBundle:
    """
    A model bundle whose files have been checked.

    Made by `load_bundle`. Keras is imported by `models`, not before.

    Parameters
    ----------
    path : `~pathlib.Path`
        Its folder or ``.zip`` file.
    config : dict
        What ``config.json`` holds.
    card : str
        What the model was made from and what it is good for.
    sha256 : str
        Of the ``.zip`` file; of a folder, that of the sorted names and SHA-256
        of its files.
    scheme : `~galmorph.core.LabelScheme`
        What the outputs mean.
    """

    path: Path
    config: dict = field(repr=False)
    card: str = field(repr=False)
    sha256: str
    scheme: LabelScheme = field(repr=False)
    _models: dict = field(default_factory=dict, repr=False, compare=False)

    def __getstate__(self):
        # networks are built anew where the bundle is unpickled
        return {**self.__dict__, "_models": {}}

    @property
    def name(self):
        """Name of the model."""
        return self.config["name"]

    @property
    def preprocessing(self):
        """The preprocessing that belongs to the model, as plain data."""
        return self.config["preprocessing"]

    @property
    def calibration(self):
        """Scatter of the residuals, see `~galmorph.models.errors.ErrorModel`."""
        return self.config["calibration"]

    @property
    def input_shape(self):
        """Height, width and number of bands of a stamp."""
        return tuple(self.config["architecture"]["input_shape"])

    @property
    def members(self):
        """Number of networks of the ensemble."""
        return len(self.config["members"])

    @property
    def domain(self):
        """The `Domain` of the first member, or `None`."""
        if self.config["domain"] is None:
            return None
        content = self._read(self.config["domain"])
        try:
            return Domain.from_bytes(content)
        except BundleError as error:
            file = self.config["domain"]["file"]
            raise BundleError(f"{self.path}: {file}: {error}") from error

    def models(self, precision="float32", device=None):
        """
        The networks with their weights; built once.

        Parameters
        ----------
        precision : {'float32', 'mixed_bfloat16'}, optional
            Of the layers, see `~galmorph.models.build`; weights are float32.
        device : str, optional
            Where the weights are, in Keras's notation; by default the backend's
            choice. Each device has networks of its own.

        Returns
        -------
        models : list of `keras.Model`

        Raises
        ------
        BundleError
            If the weights do not fit the network, or changed since loading.
        """
        key = precision, device
        if key not in self._models:
            from galmorph.models._keras import keras

            with keras.device(device) if device else contextlib.nullcontext():
                self._models[key] = [
                    self._model(number, member, precision)
                    for number, member in enumerate(self.config["members"])
                ]
        return self._models[key]

    def _read(self, entry):
        content = read_file(self.path, entry["file"])
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise BundleError(
                f"{self.path}: {entry['file']} changed since it was loaded"
            )
        return content

    def _model(self, number, member, precision):
        content = self._read(member)
        architecture = self.config["architecture"]
        model = _build(architecture, self.scheme, self.path, precision)
        model.name = f"{model.name}_{number}"
        try:
            read_weights(content, model)
        except BundleError as error:
            raise BundleError(f"{self.path}: {member['file']}: {error}") from error
        return model


def _build(architecture, scheme, where, precision="float32"):
    from galmorph.models.networks import build

    try:
        return build(
            architecture["name"],
            input_shape=tuple(architecture["input_shape"]),
            scheme=scheme,
            precision=precision,
            **architecture["options"],
        )
    except ConfigurationError as error:
        raise BundleError(
            f"{where}: this version of galmorph ({__version__}) cannot build the"
            f" network: {error}"
        ) from error


def _entry(file, content):
    return {"file": file, "sha256": hashlib.sha256(content).hexdigest()}


def save_bundle(
    path,
    models,
    *,
    name,
    scheme,
    preprocessor,
    architecture,
    input_shape,
    options=None,
    card="",
    views=1,
    calibration=None,
    training=None,
    domain=None,
    weights_dtype="float16",
    overwrite=False,
):
    """
    Write trained networks as a model bundle.

    The same networks and settings give the same bytes.

    Parameters
    ----------
    path : path-like
        A folder to make, or a file that ends in ``.zip``.
    models : sequence of `keras.Model`
        The members of the ensemble, one or more, made by
        `~galmorph.models.build` with what follows.
    name : str
        Name of the model: letters, digits, ``.``, ``_`` and ``-``.
    scheme : str or `~galmorph.core.LabelScheme`
        What the outputs mean.
    preprocessor : dict
        How the stamps were made: `galmorph.images.Preprocessor.to_dict`.
    architecture : str
        Name of the architecture.
    input_shape : tuple of int
        Height, width and number of bands of a stamp.
    options : dict, optional
        Options of the architecture.
    card : str, optional
        What the model was made from and what it is good for, in Markdown.
    views : int, optional
        Number of flipped and rotated views that are averaged by default.
    calibration : dict, optional
        Scatter of the residuals, see `~galmorph.models.errors.ErrorModel`.
    training : dict, optional
        How it was trained, for the record.
    domain : `Domain`, optional
        What the first network made of the galaxies that it learned from.
    weights_dtype : {'float16', 'float32'}, optional
        Precision of the weights in the file. Half precision halves the size.
    overwrite : bool, optional
        Whether to replace a bundle that is there.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    BundleError
        If the networks do not fit the description, if a weight is not finite,
        or if something is there that may not be replaced.

    Examples
    --------
    >>> from galmorph.models import build, load_bundle, save_bundle
    >>> network = build("dense_ann", scheme="candels")
    >>> path = getfixture("tmp_path") / "example.zip"
    >>> _ = save_bundle(path, [network], name="example", scheme="candels",
    ...                 preprocessor={}, architecture="dense_ann",
    ...                 input_shape=(45, 45, 1))
    >>> load_bundle(path).members
    1
    """
    path = Path(path)
    if not len(models):
        raise BundleError("models: a bundle needs at least one network")
    scheme = get_scheme(scheme)
    config = {
        "format": FORMAT,
        "name": name,
        "galmorph_version": __version__,
        "scheme": scheme.to_dict(),
        "preprocessing": dict(preprocessor),
        "architecture": {
            "name": architecture,
            "options": dict(options or {}),
            "input_shape": [int(n) for n in input_shape],
        },
        "members": [],
        "views": views,
        "calibration": calibration,
        "training": training,
        "domain": None,
    }
    like = _build(config["architecture"], scheme, "architecture")
    files = {}
    for number, model in enumerate(models):
        file = f"member-{number}.weights.h5"
        files[file] = write_weights(model, like, weights_dtype)
        config["members"].append(_entry(file, files[file]))
    if domain is not None:
        files[DOMAIN] = domain.to_bytes()
        config["domain"] = _entry(DOMAIN, files[DOMAIN])
    try:
        text = json.dumps(config, indent=1, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BundleError(
            "preprocessor, options, calibration, training: expected plain data for"
            f" JSON; {error}"
        ) from error
    check_config(json.loads(text), path)
    files[CONFIG] = text.encode() + b"\n"
    files[CARD] = card.encode()
    write_files(path, files, overwrite=overwrite, marker=CONFIG)
    return path


def load_bundle(path):
    """
    Read and check a model bundle.

    Parameters
    ----------
    path : path-like
        Its folder or ``.zip`` file.

    Returns
    -------
    bundle : `ModelBundle`

    Raises
    ------
    BundleError
        If a file is missing, damaged or not expected, or if the format is not
        known. Shapes of the weights are checked when the networks are built.
    """
    path = Path(path)
    names = list_files(path)
    for name in (CONFIG, CARD):
        if name not in names:
            raise BundleError(f"{path}: not a model bundle: it has no {name}")
    try:
        config = json.loads(read_file(path, CONFIG, most=1 << 24))
        card = read_file(path, CARD, most=1 << 24).decode()
    except ValueError as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"{path}: {CONFIG} or {CARD} is damaged: {error}") from error
    scheme = check_config(config, path)
    entries = [*config["members"]]
    if config["domain"] is not None:
        entries.append(config["domain"])
    expected = {CONFIG, CARD, *(entry["file"] for entry in entries)}
    if set(names) != expected:
        raise BundleError(
            f"{path}: missing files: {sorted(expected - set(names))}, files that do"
            f" not belong to it: {sorted(set(names) - expected)}"
        )
    digests = {name: digest_of(path, name) for name in names}
    for entry in entries:
        if digests[entry["file"]] != entry["sha256"]:
            raise BundleError(
                f"{path}: {entry['file']} is damaged: its SHA-256 is"
                f" {digests[entry['file']]}, not {entry['sha256']}; get the bundle"
                " again"
            )
    if path.is_dir():
        lines = "".join(f"{digests[name]}  {name}\n" for name in sorted(names))
        sha256 = hashlib.sha256(lines.encode()).hexdigest()
    else:
        sha256 = digest_of(path)
    return ModelBundle(path, config, card, sha256, scheme)


def copy_bundle(bundle, path, *, overwrite=False):
    """
    Write a loaded bundle elsewhere, as a folder or a ``.zip`` file.

    Parameters
    ----------
    bundle : `ModelBundle`
        The bundle.
    path : path-like
        A folder to make, or a file that ends in ``.zip``.
    overwrite : bool, optional
        Whether to replace a bundle that is there.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    BundleError
        If something is there that may not be replaced.
    """
    path = Path(path)
    copy_files(bundle.path, path, overwrite=overwrite, marker=CONFIG)
    return path

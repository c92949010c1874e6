# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What a training run is made from, and the TOML files that say so.
"""

import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path

from galmorph.core import ConfigurationError, LabelScheme, get_scheme
from galmorph.images import Preprocessor
from galmorph.training._sections import (
    check_integer,
    check_keys,
    check_types,
    read_section,
)
from galmorph.training.augmentation import Augmentation
from galmorph.training.sources_config import (
    SeveralConfig,
    SimulationConfig,
    TableConfig,
    read_data,
)

__all__ = ["RunConfig", "TrainingConfig", "read_config"]


@dataclass(frozen=True)
class TrainingConfig:
    """
    How a network is trained.

    Parameters
    ----------
    seed : int, optional
        Seed of the split, the initial weights, the order of the stamps, the
        augmentation and the dropout.
    epochs : int, optional
        At most so many passes through the training part.
    patience : int, optional
        Training stops after so many epochs without a better validation RMSE.
    batch_size : int, optional
        Number of stamps per step.
    loss : {'mse', 'binomial'}, optional
        ``'mse'``: the mean squared error of the fractions, as HC15.
        ``'binomial'``: the likelihood of the votes, in which a galaxy counts by
        their number, where that is known.
    optimizer : {'adam', 'sgd'}, optional
        ``'sgd'`` has a Nesterov momentum of 0.9, as in Dieleman et al. (2015,
        MNRAS 450, 1441).
    learning_rate : float, optional
        The first learning rate.
    schedule : {'cosine', 'steps', 'constant'}, optional
        ``'cosine'``: falls as half a cosine to zero. ``'steps'``: a tenth
        after 60 and a hundredth after 85 per cent of the epochs.
    weight_decay : float, optional
        Decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101), for
        ``'adam'`` only.
    ema : float, optional
        Momentum of a running average of the weights over the steps, which then
        is what is validated and kept; 0 for none.
    validation, test : float, optional
        Shares of the galaxies that choose the epoch and that are scored once
        at the end.
    members : int, optional
        Number of networks that are trained, with seeds that follow each other,
        and whose fractions are averaged.
    folds : bool, optional
        Whether each member has validation galaxies of its own, so that all
        galaxies that are not tested train the most members; else they share
        one split.
    views : int, optional
        Number of flipped and rotated views, 1 to 8, over which the finished
        model averages.
    freeze : bool, optional
        With weights to start from: whether only the output layer learns.
    trunk_rate : float, optional
        With weights to start from: factor of the learning rate in all but the
        output layer.
    precision : str, optional
        Precision of the computation, see `galmorph.models.build`.
    devices : sequence of str, optional
        Devices that share every batch, such as ``('gpu:0', 'gpu:1')``; by default
        all GPUs that the backend sees, or the CPU.
    jit_compile : bool or 'auto', optional
        Whether the backend compiles the training step as a whole (XLA);
        ``'auto'`` leaves it to Keras. JAX always does.

    Raises
    ------
    ConfigurationError
        If a value is out of its range.

    Examples
    --------
    >>> from galmorph.training import TrainingConfig
    >>> TrainingConfig(epochs=3).optimizer
    'adam'
    """

    seed: int = 1
    epochs: int = 30
    patience: int = 8
    batch_size: int = 64
    loss: str = "mse"
    optimizer: str = "adam"
    learning_rate: float = 3e-4
    schedule: str = "cosine"
    weight_decay: float = 0.0
    ema: float = 0.0
    validation: float = 0.1
    test: float = 0.1
    members: int = 1
    folds: bool = False
    views: int = 1
    freeze: bool = False
    trunk_rate: float = 1.0
    precision: str = "float32"
    devices: tuple = ()
    jit_compile: bool | str = False

    def __post_init__(self):
        choices = {
            "loss": ("mse", "binomial"),
            "optimizer": ("adam", "sgd"),
            "schedule": ("cosine", "steps", "constant"),
            "jit_compile": (True, False, "auto"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ConfigurationError(
                    f"{name}: found {getattr(self, name)!r}; choose one of {allowed}"
                )
        for name in ("epochs", "patience", "batch_size", "members", "views"):
            check_integer(name, getattr(self, name), least=1)
        check_integer("seed", self.seed, least=0)
        for name in ("learning_rate", "validation"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise ConfigurationError(
                    f"{name}: found {value!r}; it must lie between 0 and 1"
                )
        for name in ("test", "ema", "weight_decay"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise ConfigurationError(
                    f"{name}: found {value!r}; it must be at least 0 and less than 1"
                )
        if not 0 < self.trunk_rate <= 1:
            raise ConfigurationError(
                f"trunk_rate: found {self.trunk_rate!r}; it must be above 0 and at"
                " most 1"
            )
        if self.weight_decay and self.optimizer != "adam":
            raise ConfigurationError(
                f"weight_decay: it goes with the optimizer 'adam'; found"
                f" {self.optimizer!r}"
            )
        if self.folds and self.members < 2:
            raise ConfigurationError("folds: they need two members or more")
        if self.validation + self.test >= 1:
            raise ConfigurationError(
                "validation, test: nothing is left to train with; found"
                f" {self.validation} and {self.test}"
            )


@dataclass(frozen=True)
class RunConfig:
    """
    A whole run: data, preprocessing, network and training.

    Parameters
    ----------
    name : str
        Name of the model.
    data : `SimulationConfig`, `ArraysConfig`, `CutoutsConfig`, `MosaicConfig` or \
`SeveralConfig`
    architecture : str, optional
        Name of the network, see `galmorph.models.build`.
    options : dict, optional
        Options of the network.
    scheme : str or `~galmorph.core.LabelScheme`, optional
        What the outputs mean.
    description : str, optional
        For the model's card: what it is.
    preprocessor : `~galmorph.images.Preprocessor`, optional
    training : `TrainingConfig`, optional
    augmentation : `Augmentation`, optional

    Examples
    --------
    >>> from galmorph.training import RunConfig, SimulationConfig
    >>> RunConfig("example", SimulationConfig(n=100)).to_dict()["model"]["name"]
    'example'
    """

    name: str
    data: SimulationConfig | TableConfig | SeveralConfig
    architecture: str = "hc15"
    options: dict = field(default_factory=dict)
    scheme: str | LabelScheme = "candels"
    description: str = ""
    preprocessor: Preprocessor = field(default_factory=Preprocessor)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def to_dict(self):
        """
        All settings as plain data, in the sections of the TOML file.

        Returns
        -------
        config : dict
        """
        model = ("name", "architecture", "options", "description")
        return {
            "model": {name: getattr(self, name) for name in model},
            "scheme": get_scheme(self.scheme).to_dict(),
            "data": self.data.record(),
            "preprocessing": self.preprocessor.to_dict(),
            "training": {
                **asdict(self.training),
                "devices": list(self.training.devices),
            },
            "augmentation": asdict(self.augmentation),
        }


_MODEL_KEYS = {
    "name": str,
    "architecture": str,
    "options": dict,
    "scheme": str,
    "description": str,
}
_SCHEME_KEYS = {
    "name": str,
    "outputs": list,
    "descriptions": list,
    "questions": list,
    "reference": str,
}


def read_config(path, *, start_from=None):
    """
    Read the TOML file of a run.

    It has the sections

    - ``[model]``: ``name``, ``architecture``, ``scheme``, ``description`` and a
      table of ``options``;
    - ``[scheme]``, for labels of one's own: ``name`` and ``outputs``, perhaps
      ``descriptions``, ``questions`` and ``reference``, as in
      `~galmorph.core.LabelScheme`;
    - ``[data]``: ``source`` and the parameters of `SimulationConfig`
      (``"simulation"``), `ArraysConfig` (``"arrays"``), `CutoutsConfig`
      (``"cutouts"``) or `MosaicConfig` (``"mosaic"``),
      or several such sections ``[[data]]``, whose galaxies are put together;
    - ``[preprocessing]``: those of `~galmorph.images.Preprocessor`;
    - ``[training]``: those of `TrainingConfig`;
    - ``[augmentation]``: those of `Augmentation`.

    Only ``name`` in ``[model]`` and what the source in ``[data]`` needs are
    required. Names of files are relative to the folder of this file.

    Parameters
    ----------
    path : path-like
    start_from : `~galmorph.models.ModelBundle`, optional
        A model whose weights the run starts with. It gives the architecture and
        the preprocessing where the file says nothing about them.

    Returns
    -------
    config : `RunConfig`

    Raises
    ------
    ConfigurationError
        If the file is missing or no TOML, or if a section, key or value is
        not known.

    Examples
    --------
    >>> from galmorph.training import read_config
    >>> path = getfixture("tmp_path") / "example.toml"
    >>> _ = path.write_text('[model]\\nname = "example"\\n[data]\\nn = 2000\\n')
    >>> read_config(path).data.n
    2000
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            sections = tomllib.load(file)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}") from error
    known = ("model", "scheme", "data", "preprocessing", "training", "augmentation")
    check_keys(path, "the file", sections, known)
    for name, section in sections.items():
        several = name == "data" and isinstance(section, list) and section
        if not isinstance(section, dict) and not several:
            raise ConfigurationError(f"{path}: {name}: write it as a section [{name}]")
    model = sections.get("model", {})
    check_keys(path, "[model]", model, _MODEL_KEYS)
    check_types(path, "[model]", model, _MODEL_KEYS)
    if "name" not in model:
        raise ConfigurationError(f"{path}: [model] needs a name")
    scheme = _scheme(path, model, sections)
    if start_from is not None:
        found = start_from.config["architecture"]
        model = {"architecture": found["name"], "options": found["options"], **model}
    if start_from is not None and "preprocessing" not in sections:
        preprocessor = Preprocessor.from_dict(start_from.preprocessing)
    else:
        preprocessor = read_section(
            path, "preprocessing", Preprocessor, sections.get("preprocessing", {})
        )
    parts = {
        "data": read_data(path, sections.get("data", {}), scheme),
        "preprocessor": preprocessor,
        "training": read_section(
            path, "training", TrainingConfig, sections.get("training", {})
        ),
        "augmentation": read_section(
            path, "augmentation", Augmentation, sections.get("augmentation", {})
        ),
    }
    if parts["data"].side < parts["preprocessor"].shape:
        raise ConfigurationError(
            f"{path}: [data] side: found {parts['data'].side}, which is smaller than"
            f" the network's stamps of {parts['preprocessor'].shape} pixels"
        )
    return RunConfig(**{**model, "scheme": scheme}, **parts)


def _scheme(path, model, sections):
    """The label scheme: one that is known by name, or that of the section."""
    own = sections.get("scheme")
    if own is None:
        try:
            return get_scheme(model.get("scheme", "candels"))
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: [model] {error}") from error
    if "scheme" in model:
        raise ConfigurationError(
            f"{path}: the scheme is named in [model] and described in [scheme]; leave"
            " one out"
        )
    check_keys(path, "[scheme]", own, _SCHEME_KEYS)
    check_types(path, "[scheme]", own, _SCHEME_KEYS)
    for key in ("name", "outputs"):
        if key not in own:
            raise ConfigurationError(f"{path}: [scheme] needs {key}")
    questions = [{"parent": None, **question} for question in own.get("questions", ())]
    try:
        return LabelScheme.from_dict({**own, "questions": questions})
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: [scheme] {error}") from error
    except (KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path}: [scheme] questions: each needs text and answers, and the answer"
            " that leads to it as parent"
        ) from error

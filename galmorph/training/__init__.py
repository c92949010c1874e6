# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Networks learn here.

In: stamps with their vote fractions (`train`), or a TOML file that says where
they come from and how to train (`train_from_config`). Out: the folder of a run
with its settings, history, scores and model bundle. Keras is imported when a
network is built, not before.
"""

from galmorph.training.augmentation import Augmentation, augment
from galmorph.training.config import RunConfig, TrainingConfig, read_config
from galmorph.training.datasets import Dataset, as_dataset
from galmorph.training.recalibration import calibrate, keep_outputs
from galmorph.training.runs import TrainingResult, train, train_from_config
from galmorph.training.sources_config import (
    ArraysConfig,
    CutoutsConfig,
    MosaicConfig,
    SeveralConfig,
    SimulationConfig,
    TableConfig,
)
from galmorph.training.splits import folds, stratified_split
from galmorph.training.stamping import as_stamps

__all__ = [
    "ArraysConfig",
    "Augmentation",
    "CutoutsConfig",
    "Dataset",
    "MosaicConfig",
    "RunConfig",
    "SeveralConfig",
    "SimulationConfig",
    "TableConfig",
    "TrainingConfig",
    "TrainingResult",
    "as_dataset",
    "as_stamps",
    "augment",
    "calibrate",
    "folds",
    "keep_outputs",
    "read_config",
    "stratified_split",
    "train",
    "train_from_config",
]

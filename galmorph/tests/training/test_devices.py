# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""Training on several devices gives what training on one does."""

import json
import os
import subprocess
import sys

import pytest

RUN = """
import json, sys
devices = sys.argv[2].split(",") if sys.argv[2] else []
from galmorph.models._keras import keras
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
from galmorph.tests.training.shapes import SETTINGS, shapes
from galmorph.training import train
result = train(
    shapes(),
    out=sys.argv[1],
    devices=devices,
    **{**SETTINGS, "options": {"units": [24, 12]}, "ema": 0.9},
)
# in old Keras the training RMSE of several devices is that of the first one
print(json.dumps([list(result.history["val_rmse"]),
    result.metrics["test"]["all"]["rmse"]]))
"""


def run(folder, devices, backend):
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    ended = subprocess.run(
        [sys.executable, "-c", RUN, str(folder), devices],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_learn_what_one_does(tmp_path, backend):
    pytest.importorskip(backend)
    one = run(tmp_path / "one", "", backend)
    two = run(tmp_path / "two", "cpu:0,cpu:1", backend)
    for of_one, of_two in zip(one, two, strict=True):
        # the same batches, but sums in another order
        assert of_two == pytest.approx(of_one, rel=2e-3)


def test_devices_that_do_not_exist_or_divide_the_batch_are_named(tmp_path):
    from galmorph.core import ConfigurationError
    from galmorph.training.devices import several_devices

    with (
        pytest.raises(ConfigurationError, match="gpu:77"),
        several_devices(["cpu:0", "gpu:77"], 32),
    ):
        pass
    with (
        pytest.raises(ConfigurationError, match="divided among 3"),
        several_devices(["cpu:0", "cpu:1", "cpu:2"], 32),
    ):
        pass

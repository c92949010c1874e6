# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Training on several devices at once, each with its share of every batch.
"""

import contextlib

from galmorph.core import ConfigurationError

__all__ = ["several_devices"]


def _backend():
    from galmorph.models._keras import keras

    return keras.backend.backend()


def _all_gpus():
    from galmorph.models._keras import keras

    if _backend() == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_logical_devices("GPU")
        return tuple(f"gpu:{number}" for number in range(len(gpus)))
    if _backend() == "jax":
        found = keras.distribution.list_devices()
        return tuple(name for name in found if not name.startswith("cpu"))
    return ()


@contextlib.contextmanager
def several_devices(devices, batch_size):
    """
    Build and train networks on several devices.

    With TensorFlow it is ``tf.distribute.MirroredStrategy``, with JAX
    ``keras.distribution.DataParallel``.

    Parameters
    ----------
    devices : sequence of str
        Names such as ``'gpu:0'``. Empty for all GPUs that the backend sees.
    batch_size : int
        It is divided by the number of devices.

    Yields
    ------
    n : int
        The number of devices. With 1, everything is as without.

    Raises
    ------
    ConfigurationError
        If the batches cannot be divided, if there is no such device, or if the
        backend is torch and there are several.
    """
    from galmorph.models._keras import keras

    devices = tuple(devices) or _all_gpus()
    if len(devices) < 2:
        with keras.device(devices[0]) if devices else contextlib.nullcontext():
            yield 1
        return
    if batch_size % len(devices):
        raise ConfigurationError(
            f"batch_size: {batch_size} stamps cannot be divided among"
            f" {len(devices)} devices"
        )
    if _backend() == "tensorflow":
        import tensorflow as tf

        known = {
            device.name.removeprefix("/device:").lower()
            for device in tf.config.list_logical_devices()
        }
        unknown = [name for name in devices if name.lower() not in known]
        if unknown:
            raise ConfigurationError(
                f"devices: there are no {unknown}; known are {sorted(known)}"
            )
        with tf.distribute.MirroredStrategy(list(devices)).scope():
            yield len(devices)
    elif _backend() == "jax":
        usual = keras.distribution.distribution()
        try:
            spread = keras.distribution.DataParallel(devices=list(devices))
        except (RuntimeError, ValueError) as error:
            raise ConfigurationError(f"devices: {error}") from error
        keras.distribution.set_distribution(spread)
        try:
            yield len(devices)
        finally:
            keras.distribution.set_distribution(usual)
    else:
        raise ConfigurationError(
            "devices: galmorph trains on several devices with TensorFlow or JAX only;"
            f" the backend is {_backend()!r}"
        )

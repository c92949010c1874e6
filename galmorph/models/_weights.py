# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Weights of a network in an HDF5 file: one dataset per weight, nothing else.
"""

import io

import numpy as np

from galmorph.core import BundleError

__all__ = [
    "named_weights",
    "read_arrays",
    "read_weights",
    "write_arrays",
    "write_weights",
]


def named_weights(model):
    """
    The weights of a network by name.

    Parameters
    ----------
    model : `keras.Model`

    Returns
    -------
    weights : dict of `keras.Variable`
        By ``layer/weight``.

    Raises
    ------
    BundleError
        If two have the same name.
    """
    weights = {}
    for layer in model.layers:
        for weight in layer.weights:
            name = f"{layer.name}/{weight.name}"
            if name in weights:
                raise BundleError(f"models: two weights are named {name!r}")
            weights[name] = weight
    return weights


def _check_same(found, expected):
    """Compare the shapes of weights by name."""
    if set(found) != set(expected):
        raise BundleError(
            f"weights missing: {sorted(set(expected) - set(found))}, weights that do"
            f" not belong there: {sorted(set(found) - set(expected))}"
        )
    for name, shape in expected.items():
        if tuple(found[name]) != tuple(shape):
            raise BundleError(
                f"weight {name!r} has the shape {tuple(found[name])}, and the network"
                f" needs {tuple(shape)}"
            )


def write_weights(model, like, dtype):
    """
    The weights of a network as an HDF5 file.

    Parameters
    ----------
    model : `keras.Model`
        The network.
    like : `keras.Model`
        A network of the architecture that it must have.
    dtype : {'float16', 'float32'}
        Precision of the weights in the file.

    Returns
    -------
    content : bytes

    Raises
    ------
    BundleError
        If names or shapes differ, or if a weight is not finite or too large.
    """
    if dtype not in ("float16", "float32"):
        raise BundleError(
            f"weights_dtype: expected 'float16' or 'float32', found {dtype!r}"
        )
    weights = named_weights(model)
    shapes = {name: weight.shape for name, weight in named_weights(like).items()}
    try:
        _check_same({name: w.shape for name, w in weights.items()}, shapes)
    except BundleError as error:
        raise BundleError(
            f"models: not a network of the architecture {like.name!r}: {error}"
        ) from error
    return write_arrays({name: weights[name].numpy() for name in weights}, dtype)


def write_arrays(arrays, dtype):
    """
    Arrays as an HDF5 file.

    Parameters
    ----------
    arrays : dict of array_like
        By name; ``/`` in a name makes a group.
    dtype : {'float16', 'float32'}
        Precision in the file.

    Returns
    -------
    content : bytes

    Raises
    ------
    BundleError
        If a value is not finite or too large.
    """
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=("earliest", "v110")) as file:
        for name in sorted(arrays):
            values = np.asarray(arrays[name], dtype=np.float32)
            with np.errstate(over="ignore"):
                values = values.astype(dtype)
            if not np.isfinite(values).all():
                raise BundleError(
                    f"models: {name!r} has weights that are not finite as {dtype}"
                )
            file.create_dataset(
                name, data=values, compression="gzip", shuffle=True, track_times=False
            )
    return buffer.getvalue()


def read_weights(content, model):
    """
    Fill a network with the weights of an HDF5 file.

    Parameters
    ----------
    content : bytes
        The file.
    model : `keras.Model`
        The network; it is changed.

    Raises
    ------
    BundleError
        If it is no such file, or if names, shapes or types differ.
    """
    weights = named_weights(model)
    shapes = {name: weight.shape for name, weight in weights.items()}
    for name, values in read_arrays(content, shapes).items():
        weights[name].assign(values)


def read_arrays(content, shapes=None):
    """
    Arrays of an HDF5 file.

    Parameters
    ----------
    content : bytes
        The file.
    shapes : dict of tuple, optional
        The names and shapes that it must have.

    Returns
    -------
    arrays : dict of `~numpy.ndarray`
        By name, float32.

    Raises
    ------
    BundleError
        If it is no such file, or if names, shapes or types differ.
    """
    import h5py

    arrays = {}
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            datasets = dict(_datasets(file))
            if shapes is not None:
                found = {name: dataset.shape for name, dataset in datasets.items()}
                _check_same(found, shapes)
            for name, dataset in datasets.items():
                arrays[name] = dataset[()].astype(np.float32)
                if not np.isfinite(arrays[name]).all():
                    raise BundleError(f"weight {name!r} is not finite")
    except (OSError, RuntimeError, KeyError) as error:
        raise BundleError(f"cannot be read as HDF5: {error}") from error
    return arrays


def _datasets(group, prefix=""):
    """Datasets of a file by name; links out of it are refused."""
    import h5py

    for key in group:
        name = f"{prefix}{key}"
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise BundleError(f"{name!r} is a link")
        item = group[key]
        if isinstance(item, h5py.Group):
            if prefix:
                raise BundleError(f"{name!r} is a group within a group")
            yield from _datasets(item, f"{name}/")
        elif (
            not isinstance(item, h5py.Dataset)
            or item.dtype not in (np.dtype("float16"), np.dtype("float32"))
            or item.external
            or item.is_virtual
        ):
            raise BundleError(f"{name!r} is not a plain array of float16 or float32")
        else:
            yield name, item

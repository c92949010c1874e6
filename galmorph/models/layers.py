# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Layers that Keras lacks, and the flipped and rotated views of an image.
"""

from galmorph.core import ConfigurationError, LabelScheme
from galmorph.models._keras import keras
from galmorph.models.symmetry import turned

__all__ = ["MOST_VIEWS", "DecisionTree", "Maxout", "views"]

MOST_VIEWS = 8
"""Number of flips and rotations by 90 degrees that map a square onto itself."""


@keras.saving.register_keras_serializable(package="galmorph")
class Maxout(keras.layers.Layer):
    """
    Dense layer whose units each are the maximum of several linear pieces.

    The formula is that of Goodfellow et al. (2013, arXiv:1302.4389):
    ``max_j(x @ W[:, i, j] + b[i, j])`` for the unit ``i``. The pieces of a unit
    are neighbours in one kernel of shape (inputs, units * pieces) and one bias.

    Parameters
    ----------
    units : int
        Number of outputs.
    pieces : int, optional
        Number of linear pieces per output.
    kernel_initializer, bias_initializer : optional
        Initial weights, as for `keras.layers.Dense`.
    **kwargs
        Arguments of `keras.layers.Layer`.

    Raises
    ------
    ConfigurationError
        If ``units`` or ``pieces`` is less than 1.

    Examples
    --------
    >>> from galmorph.models import Maxout
    >>> layer = Maxout(3, bias_initializer="zeros")
    >>> layer.build((None, 4))
    >>> [tuple(weight.shape) for weight in layer.weights]
    [(4, 6), (6,)]
    """

    def __init__(
        self,
        units,
        pieces=2,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if units < 1 or pieces < 1:
            raise ConfigurationError(
                f"units, pieces: must be at least 1; found {units} and {pieces}"
            )
        self.units = int(units)
        self.pieces = int(pieces)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def build(self, input_shape):
        """Make the weights for inputs of this shape."""
        width = self.units * self.pieces
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], width),
            initializer=self.kernel_initializer,
        )
        self.bias = self.add_weight(
            name="bias", shape=(width,), initializer=self.bias_initializer
        )
        self.built = True

    def call(self, inputs):
        """Outputs of shape (..., units)."""
        linear = keras.ops.add(keras.ops.matmul(inputs, self.kernel), self.bias)
        shape = (-1, *inputs.shape[1:-1], self.units, self.pieces)
        return keras.ops.max(keras.ops.reshape(linear, shape), axis=-1)

    def compute_output_shape(self, input_shape):
        """Shape of the outputs."""
        return (*input_shape[:-1], self.units)

    def get_config(self):
        """Arguments of the layer as plain data."""
        serialize = keras.initializers.serialize
        return {
            **super().get_config(),
            "units": self.units,
            "pieces": self.pieces,
            "kernel_initializer": serialize(self.kernel_initializer),
            "bias_initializer": serialize(self.bias_initializer),
        }


@keras.saving.register_keras_serializable(package="galmorph")
class DecisionTree(keras.layers.Layer):
    """
    Turn outputs of any value into fractions that obey a decision tree.

    It has no weights. As in section 7.3 of Dieleman, Willett & Dambre (2015,
    MNRAS 450, 1441), the inputs are rectified, divided by the sum over the
    answers of their question, ``relu(z_i) / (sum_j relu(z_j) + epsilon)``, and
    multiplied by the fraction of the answer after which the question is put.

    Parameters
    ----------
    scheme : `~galmorph.core.LabelScheme` or dict
        The scheme, which must have questions, or its ``to_dict()``.
    epsilon : float, optional
        Keeps the division finite where no answer is above 0.
    **kwargs
        Arguments of `keras.layers.Layer`.

    Raises
    ------
    ConfigurationError
        If the scheme has no questions, or if its number of outputs differs
        from that of the inputs.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.core import GALAXY_ZOO_2
    >>> from galmorph.models import DecisionTree
    >>> tree = DecisionTree(GALAXY_ZOO_2)
    >>> fractions = np.asarray(tree(np.ones((1, 37), np.float32)))
    >>> print(fractions[0, :5].round(3))
    [0.333 0.333 0.333 0.167 0.167]
    """

    def __init__(self, scheme, epsilon=1e-12, **kwargs):
        super().__init__(**kwargs)
        if isinstance(scheme, dict):
            scheme = LabelScheme.from_dict(scheme)
        if not scheme.questions:
            raise ConfigurationError(
                f"scheme: {scheme.name!r} has no questions, so no decision tree"
            )
        if not epsilon > 0:
            raise ConfigurationError(f"epsilon: must be above 0; found {epsilon}")
        self.scheme = scheme
        self.epsilon = float(epsilon)

    def build(self, input_shape):
        """Check the number of inputs."""
        if input_shape[-1] != self.scheme.n_outputs:
            raise ConfigurationError(
                f"inputs: {self.scheme.name!r} has {self.scheme.n_outputs} outputs;"
                f" found the shape {tuple(input_shape)}"
            )
        self.built = True

    def call(self, inputs):
        """Fractions of the same shape as the inputs."""
        questions, scheme = self.scheme.questions, self.scheme
        rectified = keras.ops.relu(inputs)
        fractions = {}  # by answer; shape (..., 1)
        for number in scheme.question_order():
            question = questions[number]
            first = scheme.index(question.answers[0])
            part = rectified[..., first : first + len(question.answers)]
            part = part / (keras.ops.sum(part, axis=-1, keepdims=True) + self.epsilon)
            if question.parent is not None:
                part = part * fractions[question.parent]
            for i, answer in enumerate(question.answers):
                fractions[answer] = part[..., i : i + 1]
        return keras.ops.concatenate([fractions[a] for a in scheme.outputs], axis=-1)

    def compute_output_shape(self, input_shape):
        """Shape of the outputs."""
        return input_shape

    def get_config(self):
        """Arguments of the layer as plain data."""
        return {
            **super().get_config(),
            "scheme": self.scheme.to_dict(),
            "epsilon": self.epsilon,
        }


def views(images, n=MOST_VIEWS, *, symmetric=False):
    """
    Flipped and rotated views of square images.

    Parameters
    ----------
    images : array_like
        Images of shape (batch, size, size, bands).
    n : int, optional
        Number of views, 1 to 8: the first of the image itself, turned by 180,
        by 90 and by 270 degrees, and the same four mirrored.
    symmetric : bool, optional
        Whether those are all the same, as they are for `is_symmetric` networks. The
        views are turned by multiples of 90 / n degrees then, by bilinear
        interpolation; what lies beyond the edge is its mirror image.

    Returns
    -------
    views : tensor
        Tensor of the backend, of shape (n, batch, size, size, bands).

    Raises
    ------
    ConfigurationError
        If ``n`` is not 1 to 8, or if the images are not square.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.models import views
    >>> images = np.arange(4.0).reshape(1, 2, 2, 1)
    >>> np.asarray(views(images, 2))[1, 0, :, :, 0].tolist()
    [[3.0, 2.0], [1.0, 0.0]]
    """
    if n not in range(1, MOST_VIEWS + 1):
        raise ConfigurationError(f"views: expected 1 to {MOST_VIEWS}; found {n!r}")
    images = keras.ops.convert_to_tensor(images)
    if n > 1 and images.shape[1] != images.shape[2]:
        raise ConfigurationError(
            "views: only square images can be turned; found"
            f" {images.shape[1]} x {images.shape[2]} pixels"
        )
    if symmetric:
        others = (turned(images, 90 * k / n) for k in range(1, n))
        return keras.ops.stack([images, *others])

    # transposes and flips only: they are the same in every backend
    def quarters(image):
        swapped = keras.ops.transpose(image, (0, 2, 1, 3))
        yield image
        yield keras.ops.flip(keras.ops.flip(image, 1), 2)
        yield keras.ops.flip(swapped, 1)
        yield keras.ops.flip(swapped, 2)

    found = []
    for start in (images, keras.ops.flip(images, 2)):
        for view in quarters(start):
            if len(found) < n:
                found.append(view)
    return keras.ops.stack(found)

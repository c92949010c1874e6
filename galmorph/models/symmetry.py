# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Layers for networks that know the symmetries of a square and of the sky.
"""

import functools

import numpy as np

from galmorph.core import ConfigurationError
from galmorph.models._keras import keras

__all__ = [
    "GroupConv2D",
    "GroupNormalization",
    "GroupPooling",
    "JoinedParts",
    "Parts",
    "turned",
]

_ORDER = 8  # four rotations, and the same four mirrored


def _turned(array, element):
    """An array whose first two axes are turned, after mirroring for 4 to 7."""
    array = array[:, ::-1] if element >= 4 else array
    return np.rot90(array, element % 4)


@functools.cache
def _quotients():
    """``[g, h]``: the element that h is, seen from g (the inverse of g, then h)."""
    pattern = np.arange(9).reshape(3, 3)
    turned = [_turned(pattern, element).tolist() for element in range(_ORDER)]
    return np.array(
        [
            [
                next(
                    k
                    for k in range(_ORDER)
                    if _turned(_turned(pattern, k), g).tolist() == turned[h]
                )
                for h in range(_ORDER)
            ]
            for g in range(_ORDER)
        ]
    )


@keras.saving.register_keras_serializable(package="galmorph")
class GroupConv2D(keras.layers.Layer):
    """
    Convolution that is equivariant under rotation by 90 degrees and mirroring.

    It is the p4m convolution of Cohen & Welling (2016, arXiv:1602.07576). The
    channels of its output are those of eight orientations, one after the other:
    where the input is turned or mirrored, they are turned, and their orientations
    change places. One kernel serves all orientations, so that it has an eighth of
    the weights of a plain convolution with as many channels. It has no bias.

    Parameters
    ----------
    filters : int
        Number of channels of each orientation.
    size : int
        Side of the kernel in pixels.
    strides : int, optional
        Step in pixels.
    padding : {'valid', 'same'}, optional
        As for `keras.layers.Conv2D`.
    lift : bool, optional
        Whether the input is an image, without orientations.
    **kwargs
        Arguments of `keras.layers.Layer`.

    Raises
    ------
    ConfigurationError
        If a number is less than 1, or if the channels of the input are not those
        of eight orientations.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.models import GroupConv2D
    >>> layer = GroupConv2D(2, 3, lift=True)
    >>> tuple(layer(np.zeros((1, 9, 9, 1), np.float32)).shape)
    (1, 7, 7, 16)
    """

    def __init__(self, filters, size, strides=1, padding="valid", lift=False, **kwargs):
        super().__init__(**kwargs)
        if min(filters, size, strides) < 1:
            raise ConfigurationError(
                "filters, size, strides: must be at least 1; found"
                f" {filters}, {size} and {strides}"
            )
        self.filters, self.size = int(filters), int(size)
        self.strides, self.padding, self.lift = int(strides), padding, bool(lift)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        """Make the weights for inputs of this shape."""
        orientations = 1 if self.lift else _ORDER
        channels, rest = divmod(input_shape[-1], orientations)
        if rest:
            raise ConfigurationError(
                f"inputs: expected the channels of 8 orientations; found the shape"
                f" {tuple(input_shape)}"
            )
        pixels = self.size**2
        self.kernel = self.add_weight(
            name="kernel",
            shape=(orientations * pixels, channels, self.filters),
            # He et al. (2015), for what one unit sums up
            initializer=keras.initializers.RandomNormal(
                stddev=float(np.sqrt(2 / (orientations * pixels * channels)))
            ),
        )
        place = np.arange(pixels).reshape(self.size, self.size)
        source = np.zeros((1, _ORDER), int) if self.lift else _quotients()
        # [g, y, x, h]: which plane of the kernel stands there
        self._source = np.stack(
            [
                _turned(place, g)[..., None]
                + pixels * source[g % len(source), :orientations]
                for g in range(_ORDER)
            ]
        ).astype(np.int32)
        self.built = True

    def expanded_kernel(self):
        """
        The kernel of the plain convolution that does the same.

        Returns
        -------
        kernel : tensor
            Of shape (size, size, input channels, 8 * filters).
        """
        _, channels, filters = self.kernel.shape
        kernel = keras.ops.take(self.kernel, self._source.ravel(), axis=0)
        kernel = keras.ops.reshape(kernel, (*self._source.shape, channels, filters))
        kernel = keras.ops.transpose(kernel, (1, 2, 3, 4, 0, 5))
        return keras.ops.reshape(
            kernel, (self.size, self.size, -1, _ORDER * self.filters)
        )

    def call(self, inputs):
        """Maps of shape (n, height, width, 8 * filters)."""
        kernel = keras.ops.cast(self.expanded_kernel(), inputs.dtype)
        return keras.ops.conv(inputs, kernel, self.strides, self.padding)

    def compute_output_shape(self, input_shape):
        """Shape of the maps."""
        if self.padding == "same":
            sides = [-(-n // self.strides) for n in input_shape[1:3]]
        else:
            sides = [(n - self.size) // self.strides + 1 for n in input_shape[1:3]]
        return (input_shape[0], *sides, _ORDER * self.filters)

    def get_config(self):
        """Arguments of the layer as plain data."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "size": self.size,
            "strides": self.strides,
            "padding": self.padding,
            "lift": self.lift,
        }


@keras.saving.register_keras_serializable(package="galmorph")
class GroupNormalization(keras.layers.BatchNormalization):
    """
    Batch normalisation with one scale for the eight orientations of a channel.

    It follows `GroupConv2D`, so that what comes out is equivariant as well.

    Parameters
    ----------
    **kwargs
        Arguments of `keras.layers.BatchNormalization` but the axis.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.models import GroupNormalization
    >>> layer = GroupNormalization()
    >>> tuple(layer(np.zeros((1, 5, 5, 24), np.float32)).shape)
    (1, 5, 5, 24)
    >>> tuple(layer.gamma.shape)
    (3,)
    """

    def build(self, input_shape):
        """Make the weights for inputs of this shape."""
        super().build((*input_shape[:-1], input_shape[-1] // _ORDER))
        # what was built is seen by inputs of eight times as many channels
        self.input_spec = keras.layers.InputSpec(
            ndim=len(input_shape), axes={-1: input_shape[-1]}
        )

    def call(self, inputs, training=None):
        """Maps of the shape of the inputs."""
        ops = keras.ops
        mean, variance = self.moving_mean, self.moving_variance
        if training and self.trainable:
            values = ops.cast(inputs, "float32")
            axes = tuple(range(len(inputs.shape) - 1))

            def over_orientations(each):
                each = ops.reshape(ops.mean(each, axis=axes), (_ORDER, -1))
                return ops.mean(each, axis=0)

            mean = over_orientations(values)
            variance = over_orientations(ops.square(values)) - ops.square(mean)
            for moving, new in (
                (self.moving_mean, mean),
                (self.moving_variance, variance),
            ):
                moving.assign(moving * self.momentum + new * (1 - self.momentum))
        scale = self.gamma * ops.rsqrt(variance + self.epsilon)
        shift = self.beta - mean * scale
        scale, shift = (
            ops.cast(ops.tile(each, [_ORDER]), inputs.dtype) for each in (scale, shift)
        )
        return inputs * scale + shift


@keras.saving.register_keras_serializable(package="galmorph")
class GroupPooling(keras.layers.Layer):
    """
    Mean over the pixels, then mean and maximum over the eight orientations.

    What comes out does not change where the image is turned by 90 degrees or
    mirrored. It has no weights.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.models import GroupPooling
    >>> tuple(GroupPooling()(np.zeros((2, 5, 5, 24), np.float32)).shape)
    (2, 6)
    """

    def call(self, inputs):
        """Features of shape (n, 2 * channels of each orientation)."""
        values = keras.ops.mean(inputs, axis=(1, 2))
        values = keras.ops.reshape(values, (-1, _ORDER, inputs.shape[-1] // _ORDER))
        return keras.ops.concatenate(
            [keras.ops.mean(values, axis=1), keras.ops.max(values, axis=1)], axis=-1
        )

    def compute_output_shape(self, input_shape):
        """Shape of the features."""
        return (input_shape[0], input_shape[-1] // _ORDER * 2)


@keras.saving.register_keras_serializable(package="galmorph")
class Parts(keras.layers.Layer):
    """
    The sixteen overlapping parts of Dieleman, Willett & Dambre (2015).

    As in section 7.2 of MNRAS 450, 1441: the image and the same turned by 45
    degrees, each also mirrored, give four views; the four corners of each, turned
    so that the middle of the image always lies in the same corner of the part,
    give sixteen parts. What a turned view lacks beyond the edge of the image is
    its mirror image; an image whose side is at least 1.42 times the crop lacks
    nothing. It has no weights.

    Parameters
    ----------
    size : int, optional
        Side of a part in pixels.
    crop : int, optional
        Side of the middle of the image that the four corners cover.
    **kwargs
        Arguments of `keras.layers.Layer`.

    Raises
    ------
    ConfigurationError
        If the parts are larger than the crop, or the crop than the image.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.models import Parts
    >>> tuple(Parts(45, 69)(np.zeros((2, 98, 98, 1), np.float32)).shape)
    (32, 45, 45, 1)
    """

    COUNT = 16

    def __init__(self, size=45, crop=69, **kwargs):
        super().__init__(**kwargs)
        if not 1 <= size <= crop:
            raise ConfigurationError(
                f"size, crop: a part must fit in the crop; found {size} and {crop}"
            )
        self.size, self.crop = int(size), int(crop)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        """Work out which pixels each part is made of."""
        side = input_shape[1]
        if input_shape[2] != side or side < self.crop:
            raise ConfigurationError(
                f"inputs: expected squares of at least {self.crop} pixels; found"
                f" the shape {tuple(input_shape)}"
            )
        self._pixels, self._shares = _parts(side, self.size, self.crop)
        self.built = True

    def call(self, inputs):
        """Parts of shape (16 * n, size, size, bands); the 16 of an image together."""
        parts = _sampled(inputs, self._pixels, self._shares)
        return keras.ops.reshape(parts, (-1, self.size, self.size, inputs.shape[3]))

    def compute_output_shape(self, input_shape):
        """Shape of the parts."""
        n = None if input_shape[0] is None else self.COUNT * input_shape[0]
        return (n, self.size, self.size, input_shape[3])

    def get_config(self):
        """Arguments of the layer as plain data."""
        return {**super().get_config(), "size": self.size, "crop": self.crop}


@keras.saving.register_keras_serializable(package="galmorph")
class JoinedParts(keras.layers.Layer):
    """
    Features of the sixteen parts of an image, one after the other.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.models import JoinedParts
    >>> tuple(JoinedParts()(np.zeros((32, 10), np.float32)).shape)
    (2, 160)
    """

    def call(self, inputs):
        """Features of shape (n, 16 * features) of inputs (16 * n, features)."""
        return keras.ops.reshape(inputs, (-1, Parts.COUNT * inputs.shape[1]))

    def compute_output_shape(self, input_shape):
        """Shape of the features."""
        n = None if input_shape[0] is None else input_shape[0] // Parts.COUNT
        return (n, Parts.COUNT * input_shape[1])


def turned(images, angle):
    """
    Square images turned about their middle, by bilinear interpolation.

    Parameters
    ----------
    images : tensor
        Images of shape (n, size, size, bands).
    angle : float
        Angle in degrees, in the direction of `numpy.rot90`.

    Returns
    -------
    turned : tensor
        Images of the same shape. What lies beyond the edge is its mirror image.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.models.symmetry import turned
    >>> images = np.arange(4.0, dtype=np.float32).reshape(1, 2, 2, 1)
    >>> np.asarray(turned(images, 180))[0, :, :, 0].round(3).tolist()
    [[3.0, 2.0], [1.0, 0.0]]
    """
    found = _sampled(images, *_turning(images.shape[1], float(angle)))
    return keras.ops.reshape(found, (-1, *images.shape[1:]))


def _sampled(images, pixels, shares):
    """Sums of pixels with their shares, of shape (n, places, bands)."""
    flat = keras.ops.reshape(images, (-1, images.shape[1] ** 2, images.shape[3]))
    return sum(
        keras.ops.take(flat, each, axis=1)
        * keras.ops.cast(share[:, None], images.dtype)
        for each, share in zip(pixels, shares, strict=True)
    )


@functools.lru_cache(maxsize=16)
def _turning(side, angle):
    """Pixels and shares that turn images of this side by an angle in degrees."""
    return _interpolation(_rotated(side, np.deg2rad(angle)), side)


@functools.lru_cache(maxsize=4)
def _parts(side, size, crop):
    """Pixels and shares of the sixteen parts."""
    places = [
        np.rot90(_rotated(crop, angle, mirror), quarter)[:size, :size]
        for angle in (0, np.pi / 4)
        for mirror in (1, -1)
        for quarter in range(4)
    ]
    return _interpolation(np.stack(places), side)


def _rotated(size, angle, mirror=1):
    """Places (x, y) of a square grid about zero that is turned, maybe mirrored."""
    grid = np.arange(size) - (size - 1) / 2
    x, y = np.meshgrid(mirror * grid, grid)
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([cosine * x - sine * y, sine * x + cosine * y], -1)


def _interpolation(places, side):
    """
    Bilinear interpolation at places (x, y) about the middle of images.

    Two arrays of shape (4, all places): pixels, counted through the image, and
    the share of each.
    """
    places = places.reshape(-1, 2) + (side - 1) / 2
    places = side - 1 - np.abs(side - 1 - np.abs(places))  # mirrored at the edge
    corner = np.clip(np.floor(places + 1e-9).astype(np.int32), 0, side - 2)
    share = np.clip(places - corner, 0, 1)
    pixels, shares = [], []
    for dx in (0, 1):
        for dy in (0, 1):
            pixels.append((corner[:, 1] + dy) * side + corner[:, 0] + dx)
            across = share[:, 0] if dx else 1 - share[:, 0]
            down = share[:, 1] if dy else 1 - share[:, 1]
            shares.append((across * down).astype(np.float32))
    return np.stack(pixels).astype(np.int32), np.stack(shares)

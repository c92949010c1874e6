# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The one place where Keras is imported, so that TensorFlow starts quietly.
"""

import os

# read by TensorFlow when it is imported; 2 leaves errors only
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras  # noqa: E402

__all__ = ["keras"]

# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The one place where Keras is imported, so that TensorFlow starts quietly.
"""

import contextlib
import os
import re
import sys
import tempfile

__all__ = ["keras"]

# what TensorFlow says whatever its log level, also that there is no GPU driver (303)
_NOISE = re.compile(
    rb"(WARNING: All log messages before absl::InitializeLog|[IW]\d{4} |"
    rb"(E\d{4} |[-\d]{10} [.:\d]+: E ).*"
    rb"(Unable to register cu|failed call to cuInit.*\(303\)$))"
)


@contextlib.contextmanager
def _quiet():
    """Hold back what is written to standard error, and drop the noise from it."""
    # read by TensorFlow when it is imported; 2 leaves errors only
    level = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if "tensorflow" in sys.modules or level < "2":
        yield
        return
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not _NOISE.match(line):
                    os.write(2, line)


with _quiet():
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow

        # it looks for GPUs now, not in the middle of the work
        tensorflow.config.list_physical_devices()

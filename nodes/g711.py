"""The two ways in which telephones put a sample into a byte (ITU-T G.711), each as a table.

A byte is a sign, three bits of exponent and four of mantissa, so that quiet sounds have finer steps
than loud ones. `TABLE[byte]` is the 16-bit sample.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray


def _mu_law() -> NDArray[np.int16]:
    """Every bit is stored inverted; a bias of 33 (132 at 16 bits) makes the segments meet."""
    bits = ~np.arange(256) & 0xFF
    size = ((((bits & 15) << 3) + 132) << (bits >> 4 & 7)) - 132
    return np.where(bits & 128, -size, size).astype(np.int16)


def _a_law() -> NDArray[np.int16]:
    """Every other bit is stored inverted; the lowest segment is linear, as the one above it."""
    bits = np.arange(256) ^ 0x55
    exponent = bits >> 4 & 7
    step = ((bits & 15) << 4) + 8
    size = np.where(exponent == 0, step, (step + 256) << np.maximum(exponent - 1, 0))
    return np.where(bits & 128, size, -size).astype(np.int16)


MU_LAW: Final = _mu_law()
A_LAW: Final = _a_law()

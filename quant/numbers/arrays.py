# SPDX-License-Identifier: MIT
"""Types of the arrays that models take and give."""

import numpy as np
import numpy.typing as npt

__all__ = ["FloatArray", "IdArray"]

FloatArray = npt.NDArray[np.float64]
IdArray = npt.NDArray[np.int64]
"""Token ids."""

"""From embeddings to figures with their uncertainty: pure functions on arrays, and the types of these arrays."""

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

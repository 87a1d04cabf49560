"""Trees that score rows of numbers."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.model import native


@dataclass(frozen=True, eq=False)
class Booster:
    """A LightGBM model in memory. Many threads may score with one at the same time."""

    text: str
    inputs: tuple[str, ...]
    handle: int

    @classmethod
    def from_text(cls, text: str) -> Booster:
        """Parse LightGBM's text format; only of a text that is known to be whole (see native)."""
        booster = cls(text=text, inputs=native.input_names(text), handle=native.load(text))
        weakref.finalize(booster, native.free, booster.handle)
        return booster

    def raw(self, matrix: NDArray[np.float64], threads: int = 1) -> NDArray[np.float64]:
        """The sum of the trees for each row of `matrix` [n, inputs]: log-odds, shape [n].

        NaN stands for "not known". One thread, unless told: with more, the tail of a server's
        response times grows tenfold.
        """
        rows = np.ascontiguousarray(matrix, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.inputs):
            raise ValueError(f"needs a matrix [n, {len(self.inputs)}], found {rows.shape}")
        scores = np.zeros(len(rows), dtype=np.float64)
        if len(rows):
            native.predict_raw(
                self.handle,
                inputs=rows.ctypes.data,
                rows=len(rows),
                columns=len(self.inputs),
                outputs=scores.ctypes.data,
                threads=threads,
            )
        return scores

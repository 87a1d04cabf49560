"""LightGBM's C API by ctypes: as much of it as a prediction needs, and no more.

Importing the lightgbm package costs seconds and loads scikit-learn and pandas; its shared library
alone costs milliseconds. Only the standard library is used here, so that the child process which
tries a suspicious model starts at once (see verify.py).
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from features.errors import DamagedError, NotReadyError

LIBRARY_NAMES = ("lib_lightgbm.so", "lib_lightgbm.dylib", "lib_lightgbm.dll")

# Constants of LightGBM's c_api.h.
DTYPE_FLOAT64 = 1
PREDICT_RAW_SCORE = 1
ROW_MAJOR = 1
FIRST_TREE = 0
ALL_TREES = -1


@cache
def library() -> ctypes.CDLL:
    """The shared library of the installed lightgbm package, found without importing it."""
    package = find_spec("lightgbm")
    for folder in package.submodule_search_locations or () if package else ():
        for name in LIBRARY_NAMES:
            for file in (Path(folder) / "lib" / name, Path(folder) / "bin" / name):
                if file.is_file():
                    return _declared(ctypes.CDLL(str(file)))
    raise NotReadyError(
        "LightGBM's shared library was not found beside the lightgbm package; "
        "type `pip install lightgbm`"
    )


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    integer, pointer = ctypes.c_int, ctypes.c_void_p
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    library.LGBM_BoosterLoadModelFromString.argtypes = [ctypes.c_char_p, pointer, pointer]
    library.LGBM_BoosterFree.argtypes = [pointer]
    library.LGBM_BoosterPredictForMat.argtypes = [
        pointer, pointer, integer, ctypes.c_int32, ctypes.c_int32, integer, integer, integer,
        integer, ctypes.c_char_p, pointer, pointer,
    ]  # fmt: skip
    return library


def load(text: str) -> int:
    """Parse a LightGBM text model into a handle, which `free` must give back.

    A damaged text crashes or hangs this process, or loads and predicts wrongly: whatever comes
    from a disk or a network goes through folder.load, never straight in here.
    """
    handle, trees = ctypes.c_void_p(), ctypes.c_int()
    _obey(
        library().LGBM_BoosterLoadModelFromString(
            text.encode(), ctypes.byref(trees), ctypes.byref(handle)
        )
    )
    if handle.value is None:
        raise DamagedError("LightGBM gave no model for the text; train the model again")
    return handle.value


def free(handle: int) -> None:
    """Give the memory of a handle back."""
    library().LGBM_BoosterFree(handle)


def predict_raw(
    handle: int, *, inputs: int, rows: int, columns: int, outputs: int, threads: int
) -> None:
    """Write the raw score of each row to `outputs` (float64), read from `inputs` (row-major).

    `inputs` and `outputs` are addresses. LightGBM takes a shared lock, so threads may call at once.
    """
    written = ctypes.c_int64()
    parameters = f"num_threads={threads}".encode()
    _obey(
        library().LGBM_BoosterPredictForMat(
            handle, inputs, DTYPE_FLOAT64, rows, columns, ROW_MAJOR, PREDICT_RAW_SCORE,
            FIRST_TREE, ALL_TREES, parameters, ctypes.byref(written), outputs,
        )
    )  # fmt: skip
    if written.value != rows:
        raise DamagedError(
            f"LightGBM gave {written.value} scores for {rows} rows: this is no model with one "
            "output; train the model again"
        )


def input_names(text: str) -> tuple[str, ...]:
    """The names of the inputs, in the order in which the trees refer to them."""
    for line in text.splitlines():
        if line.startswith("feature_names="):
            return tuple(line.removeprefix("feature_names=").split())
    raise DamagedError("the LightGBM text names no inputs; train the model again")


def _obey(code: int) -> None:
    if code != 0:
        said = library().LGBM_GetLastError().decode(errors="replace")
        raise DamagedError(f"LightGBM refused the model: {said}; train the model again")

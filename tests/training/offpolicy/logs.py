"""Small logs, drawn as text."""

from __future__ import annotations

import numpy as np

from training.evaluate import Floats
from training.offpolicy.logged import Logged
from training.settings import OffPolicySettings

# Anything may be judged: tests of arithmetic have four to six rows.
LENIENT = OffPolicySettings(least_ess=1, least_customers=2, most_share=1.0, level=0.95)
STRICT = LENIENT.model_copy(update={"least_ess": 1000, "least_customers": 100, "most_share": 0.05})


def log_of(text: str, *, arms: int) -> Logged:
    """One decision a line: customer | chosen | reward | propensity; every arm was possible."""
    cells = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    columns = list(zip(*cells, strict=True))
    return Logged(
        customer=np.array(columns[0], np.int64),
        chosen=np.array(columns[1], np.int64),
        reward=np.array(columns[2], np.float64),
        propensity=np.array(columns[3], np.float64),
        possible=np.ones((len(cells), arms), bool),
    )


def uniform(rows: int, arms: int) -> Floats:
    """Chances of a policy that draws among all arms alike [rows, arms]."""
    return np.full((rows, arms), 1 / arms)

"""What must hold for every decision, looked at again from outside before anybody reads it.

These are no second policy: they ask little, each in its own way, so that a fault of the policy and
a fault of the check are unlikely to be the same.

- I1 nobody is mailed who may not be, nor marketing sent to whom a workflow's silence has let go
- I2 a mail leaves within the allowed hours and days, neither before now nor after its window
- I3 no cap of a rolling window is broken, sent and promised mails together
- I4 no decision and no request has two answers
- I5 nobody is mailed after a withdrawal of consent is known
- I6 products are on the shelf, released and, unless due or their own choice, not just bought
- I7 every decision explains itself
- I8 what a guardrail forbids does not go

I4 (the same answer again), I5 (what was promised before) and I8 (more restrictions never mail more)
hold between decisions too: tests/spec/test_invariants.py asks that.
"""

from __future__ import annotations

from serving.invariants.asking import BrokenInvariant, assert_invariants, broken_invariants
from serving.invariants.grounds import Grounds, grounds_of

__all__ = ["BrokenInvariant", "Grounds", "assert_invariants", "broken_invariants", "grounds_of"]

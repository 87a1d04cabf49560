"""Whose turn it is: in one pass stands one question of each customer and of each request."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from serving.schemas.decisions import DecisionRequest
from serving.schemas.message import Fault

# Questions about one customer in one batch: each has to wait for the one before it.
PER_CUSTOMER = 50
TOO_MANY = Fault(
    code="too_many_of_customer",
    found=f"more than {PER_CUSTOMER} questions about this customer in one batch",
    do="ask once about a customer, or ask the rest in another batch",
)


class Turn:
    """One pass that is being filled, by whatever callers."""

    def __init__(self) -> None:
        self._met: set[tuple[str, str]] = set()

    def admits(self, question: DecisionRequest) -> bool:
        """Whether it may stand in this pass; whoever may not keeps those behind it out, too.

        So a second mail to the same customer sees the first one reserved, what one question tells
        in its context does not reach another, and none overtakes another of its customer.
        """
        keys = {("customer", question.customer_id), ("request", question.request_id)}
        is_free = not self._met & keys
        self._met |= keys
        return is_free


class Questions:
    """The questions of one caller by place, but for the `refused`: too many of their customer."""

    def __init__(self, asked: Sequence[DecisionRequest]) -> None:
        self.refused: dict[int, Fault] = {}
        self.left: deque[tuple[int, DecisionRequest]] = deque()
        met = Counter[str]()
        for place, question in enumerate(asked):
            met[question.customer_id] += 1
            if met[question.customer_id] > PER_CUSTOMER:
                self.refused[place] = TOO_MANY
            else:
                self.left.append((place, question))

    def take(self, most: int, turn: Turn) -> list[tuple[int, DecisionRequest]]:
        """The next questions that `turn` admits, at most so many; the others stay on `left`."""
        taken: list[tuple[int, DecisionRequest]] = []
        later: deque[tuple[int, DecisionRequest]] = deque()
        while self.left and len(taken) < most:
            place, question = self.left.popleft()
            (taken if turn.admits(question) else later).append((place, question))
        later.extend(self.left)
        self.left = later
        return taken

"""Who waits at the same time shares a pass, and is answered as if nobody else had been there."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

from serving.batching import decide_together
from serving.schemas.decisions import DecisionRequest
from tests.serving.api.service import NOON, publish, running
from tests.serving.store.rows import customers, event, history, products

CROWD = [f"customer-{n}" for n in range(64)]
WAIT_S = 20


def publish_crowd(service):
    """All agreed to e-mail; every second one has a cart that waits."""
    past = [
        event(f"c{name}", kind="consent", reason="granted", channel="email", hours_ago=999,
              customer_id=name)
        for name in CROWD
    ] + [
        event(f"a{name}", kind="cart_add", product_id="pen", hours_ago=2, customer_id=name)
        for name in CROWD[::2]
    ]  # fmt: skip
    service.live.store.publish(
        history(*past),
        customers(*({"customer_id": name, "timezone": "America/New_York"} for name in CROWD)),
        products({"product_id": "pen"}),
        newest_events=100,
        compaction=0,
        about={},
    )


@pytest.fixture
def passes(monkeypatch):
    """The customers of each pass, as they come; `hold` keeps the first pass until it is set."""

    class Passes(list):
        hold = threading.Event()
        begun = threading.Event()

    seen = Passes()
    seen.hold.set()

    def spied(asked, live, **more):
        seen.append([one.customer_id for one in asked])
        seen.begun.set()
        assert seen.hold.wait(WAIT_S)
        return decide_together(asked, live, **more)

    monkeypatch.setattr("serving.batching.decide_together", spied)
    return seen


def ask(customer_id, **more):
    body = {"request_id": f"r-{customer_id}", "customer_id": customer_id, **more}
    return ("POST", "/v1/decide", body)


def question(customer_id):
    return DecisionRequest(**ask(customer_id)[2])


def asking(service, passes, calls):
    """Ask once about nobody, and while that pass is held let `calls` wait; their answers' future.

    It is for the caller to let the held pass go.
    """
    passes.hold.clear()
    passes.begun.clear()
    first = service.soon([ask("nobody")])
    assert passes.begun.wait(WAIT_S)
    rest = service.soon(calls)
    return first, rest


def wait_for(service, count):
    until = 200
    while len(service.app.state.batcher._line) < count and until:
        service.wait(0.02)
        until -= 1
    assert len(service.app.state.batcher._line) == count


def without_ids(answer):
    return {name: value for name, value in answer.json().items() if name != "decision_id"}


@pytest.fixture
def crowded(tmp_path):
    """A service on which the whole crowd may wait."""
    with running(tmp_path, patches=[{"service": {"waiting_most": 100, "gather_ms": 0}}]) as service:
        publish_crowd(service)
        yield service


def test_who_waits_together_shares_one_pass_and_gets_what_they_got_alone(crowded, passes):
    alone = [crowded.post(*ask(name, dry_run=True)[1:]) for name in CROWD]
    assert len(passes) == len(CROWD)  # nobody waited, so each was decided at once
    del passes[:]
    first, rest = asking(crowded, passes, [ask(name, dry_run=True) for name in CROWD])
    wait_for(crowded, 64)
    passes.hold.set()
    together = rest.result()
    first.result()
    assert [len(one) for one in passes] == [1, 64]
    assert passes[1] == CROWD  # in the order in which they came
    assert [without_ids(one) for one in together] == [without_ids(one) for one in alone]
    assert {one.json()["action"] for one in together} == {"send", "wait"}


@pytest.mark.parametrize(("largest_batch", "sizes"), [(64, [1, 6]), (4, [1, 4, 2])])
def test_a_pass_takes_so_many_at_most(tmp_path, passes, largest_batch, sizes):
    patch = {"service": {"largest_batch": largest_batch, "gather_ms": 0}}
    with running(tmp_path, patches=[patch]) as service:
        publish_crowd(service)
        first, rest = asking(service, passes, [ask(name) for name in CROWD[:6]])
        wait_for(service, 6)
        passes.hold.set()
        assert {one.status_code for one in (*first.result(), *rest.result())} == {200}
    assert [len(one) for one in passes] == sizes


def test_a_customer_stands_once_in_a_pass_and_the_second_mail_sees_the_first(crowded, passes):
    name = CROWD[0]
    calls = [ask(name, request_id=f"r{n}") for n in range(3)] + [ask(CROWD[2])]
    first, rest = asking(crowded, passes, calls)
    wait_for(crowded, 4)
    passes.hold.set()
    said = [one.json()["action"] for one in rest.result()]
    assert said == ["send", "wait", "wait", "send"]
    assert passes[1:] == [[name, CROWD[2]], [name], [name]]
    first.result()


def test_one_that_breaks_harms_no_other(crowded, monkeypatch):
    def broken(asked, live, **more):
        if any(one.customer_id == CROWD[5] for one in asked):
            raise ZeroDivisionError(CROWD[5])
        return decide_together(asked, live, **more)

    monkeypatch.setattr("serving.batching.decide_together", broken)
    answers = crowded.at_once([ask(name) for name in CROWD[:20]])
    assert [one.status_code for one in answers] == [200] * 5 + [500] + [200] * 14
    body = {"requests": [ask(name)[2] | {"request_id": f"b{name}"} for name in CROWD[:8]]}
    listed = crowded.post("/v1/decide/batch", body).json()["answers"]
    faults = [one["fault"]["code"] if one["action"] == "error" else "" for one in listed]
    assert faults == [""] * 5 + ["internal"] + [""] * 2


@pytest.mark.parametrize("where", ["_told", "_traced", "_decided"])
def test_a_fault_beside_the_deciding_is_told_and_the_next_are_answered(crowded, monkeypatch, where):
    async def broken(*_asked):
        raise ZeroDivisionError

    line = crowded.app.state.batcher
    with monkeypatch.context() as for_now:
        for_now.setattr(line, where, broken)
        asked = crowded.soon([ask(name) for name in CROWD[:3]])
        try:
            answers = asked.result(WAIT_S / 4)
        finally:
            asked.cancel()  # whom nobody ever told would wait for ever
        assert [one.status_code for one in answers] == [500] * 3
        listed = {"requests": [ask(name)[2] for name in CROWD[:2]]}
        told = crowded.post("/v1/decide/batch", listed).json()["answers"]
        assert [one["fault"]["code"] for one in told] == ["internal"] * 2
    assert crowded.post(*ask(CROWD[0])[1:]).status_code == 200
    assert not line._line


def test_a_question_that_cannot_be_answered_is_refused_beside_others(crowded, passes):
    calls = [ask(CROWD[0]), ask(CROWD[1], emails=["wellcome"]), ask(CROWD[2])]
    first, rest = asking(crowded, passes, calls)
    wait_for(crowded, 3)
    passes.hold.set()
    assert [one.status_code for one in rest.result()] == [200, 422, 200]
    first.result()


def test_who_goes_away_is_not_decided_for_and_harms_nobody(crowded, passes):
    line = crowded.app.state.batcher

    async def leave():
        one = asyncio.create_task(line.ask([question(CROWD[0])], is_in_time=lambda: True))
        await asyncio.sleep(0.05)
        one.cancel()
        await asyncio.gather(one, return_exceptions=True)
        return one.cancelled()

    passes.hold.clear()
    first = crowded.soon([ask("nobody")])
    assert passes.begun.wait(WAIT_S)
    rest = crowded.soon([ask(CROWD[2])])
    assert crowded._portal.call(leave)
    passes.hold.set()
    assert [one.status_code for one in (*first.result(), *rest.result())] == [200, 200]
    assert CROWD[0] not in [name for one in passes for name in one]


def test_whose_time_ran_out_in_the_line_is_told_to_come_again(tmp_path, passes):
    with running(tmp_path, patches=[{"service": {"timeout_seconds": 1}}]) as service:
        publish(service)
        first, rest = asking(service, passes, [ask("ann")])
        wait_for(service, 1)
        service.wait(0.9)
        passes.hold.set()
        [late] = rest.result()
        first.result()
        assert (late.status_code, late.json()["code"]) == (503, "too_busy")
        assert late.headers["Retry-After"] == "1"
        assert passes == [["nobody"]]
        # Nothing was kept of it: the same question may come again.
        assert service.post(*ask("ann")[1:]).status_code == 200


@pytest.mark.parametrize("waiting_most", [3, 5])
def test_who_would_wait_behind_too_many_is_told_at_once(tmp_path, passes, waiting_most):
    patches = [{"service": {"waiting_most": waiting_most}}]
    with running(tmp_path, patches=patches) as service:
        first, rest = asking(service, passes, [ask(name) for name in CROWD[:waiting_most]])
        wait_for(service, waiting_most)
        listed = {"requests": [ask("ann")[2]]}
        for refused in (
            service.post(*ask("ann")[1:]),
            service.post("/v1/decide/batch", listed),
        ):
            assert (refused.status_code, refused.json()["code"]) == (503, "too_busy")
            assert refused.headers["Retry-After"] == "1"
        passes.hold.set()
        assert {one.status_code for one in (*first.result(), *rest.result())} == {200}
        assert service.post(*ask("ann")[1:]).status_code == 200


def test_who_asks_alone_does_not_wait_for_a_list(tmp_path, passes):
    patch = {"service": {"largest_batch": 8, "gather_ms": 0}}
    with running(tmp_path, patches=[patch]) as service:
        publish_crowd(service)
        listed = {"requests": [ask(name)[2] for name in CROWD[:20]]}
        first, rest = asking(service, passes, [("POST", "/v1/decide/batch", listed)])
        wait_for(service, 1)
        alone = service.soon([ask(name) for name in CROWD[40:44]])
        wait_for(service, 5)
        passes.hold.set()
        answers = [*rest.result(), *alone.result(), *first.result()]
    assert {one.status_code for one in answers} == {200}
    # The list takes its part, then those alone, then the list again as far as there is room.
    assert passes[1] == [*CROWD[:2], *CROWD[40:44], *CROWD[2:4]]
    assert [len(one) for one in passes[1:]] == [8, 8, 8]
    told = answers[0].json()["answers"]
    assert [one["customer_id"] for one in told] == CROWD[:20]


@pytest.mark.parametrize(("gather_ms", "sizes"), [(0, [1, 2, 1, 1]), (500, [1, 2, 2])])
def test_those_just_answered_are_waited_for_so_long(tmp_path, passes, gather_ms, sizes):
    with running(tmp_path, patches=[{"service": {"gather_ms": gather_ms}}]) as service:
        publish_crowd(service)
        line = service.app.state.batcher

        async def one_after_the_other(names, pauses):
            for name, pause in zip(names, pauses, strict=True):
                await asyncio.sleep(pause)
                await line.ask([question(name)], is_in_time=lambda: True)

        async def both():
            held = asyncio.create_task(one_after_the_other(["nobody"], [0]))
            await asyncio.sleep(0.05)
            two = asyncio.gather(
                one_after_the_other(CROWD[:2], [0, 0]), one_after_the_other(CROWD[2:4], [0, 0.15])
            )
            await asyncio.sleep(0.05)
            passes.hold.set()
            await asyncio.gather(held, two)

        passes.hold.clear()
        service._portal.call(both)
    assert [len(one) for one in passes] == sizes


def test_figures_tell_how_many_share_a_pass_and_what_it_spends_its_time_on(crowded):
    crowded.at_once([ask(name) for name in CROWD[:8]])
    figures = crowded.get("/metrics").text
    for stage in ("wait", "read", "scores", "deciding", "record"):
        [spent] = [
            float(line.split()[-1])
            for line in figures.splitlines()
            if line.startswith(f'onje_stage_seconds_sum{{stage="{stage}"}}')
        ]
        assert spent > 0
    assert "onje_pass_questions_sum 8.0" in figures
    assert "onje_waiting 0.0" in figures


def test_a_mail_in_a_shared_pass_is_recorded_before_it_is_told(crowded):
    answers = [one.json() for one in crowded.at_once([ask(name) for name in CROWD])]
    sent = [one for one in answers if one["action"] == "send"]
    assert len(sent) > 32
    promised = crowded.live.store.promised(now=NOON + timedelta(minutes=1))
    assert sorted(promised["decision_id"]) == sorted(one["decision_id"] for one in sent)
    record = crowded.get(f"/v1/decisions/{sent[0]['decision_id']}").json()
    assert record["receipt"]["asked"]["request_id"] == sent[0]["request_id"]

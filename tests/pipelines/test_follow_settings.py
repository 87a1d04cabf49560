"""Each setting of deciding unasked and its outputs changes something; unfit ones end the start."""

from __future__ import annotations

import threading
import time
import urllib.request
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from features.errors import NotReadyError, SettingsError
from pipelines.delivering import backoff_s
from pipelines.follow_metrics import FollowMetrics, serve_metrics
from pipelines.places import places
from pipelines.settings import load_settings
from serving.store.tables import outbox
from tests.pipelines.followed import receiver, shop
from tests.serving.api.service import SETTINGS_FILE

SENDER = {
    "kind": "webhook", "url": "https://mail.example.com/x", "only": "sends", "timeout_seconds": 1,
    "attempts": 3, "retry_seconds": 10, "retry_most_seconds": 60,
}  # fmt: skip


@pytest.fixture
def other_side():
    with receiver() as opened:
        yield opened


@pytest.fixture
def opened(tmp_path, other_side):
    """Opens a shop with some settings of [follow] and of its output."""
    shops = []

    def open_with(follow=None, **output):
        kept = shop(
            tmp_path, f"sqlite:///{tmp_path / f'{len(shops)}.db'}", receiver=other_side,
            patches=[{"follow": follow or {}}], **output,
        )  # fmt: skip
        shops.append(kept)
        return kept.__enter__()

    yield open_with
    for one in shops:
        one.__exit__(None, None, None)


def loaded(**sender):
    return load_settings(SETTINGS_FILE, [{"outputs": {"sender": SENDER | sender}}])


def decides(one, seconds):
    one.pass_time(seconds=seconds)
    return one.run().send


@pytest.mark.parametrize("look", [0.05, 7.0])
def test_look_seconds_is_how_long_it_rests(opened, look):
    following, rests = opened({"look_seconds": look}).following, []
    following.stop.wait = lambda pause: (rests.append(pause), following.stop.set())
    following.run()
    assert set(rests) == {look}


def test_settle_seconds_is_how_long_it_waits_for_more(opened):
    one = opened({"settle_seconds": 20})
    one.open_for("ann")
    one.happens("e1", "ann")
    assert one.run().send == 0 and decides(one, 19) == 0 and decides(one, 1) == 1


def test_least_minutes_is_how_seldom_one_customer_is_decided_on(opened):
    for least, expected in ((0, (0, 1)), (5, (1, 0))):
        one = opened({"least_minutes": least})
        one.open_for("ann")
        one.happens("e1", "ann")
        one.run()
        one.happens("e2", "ann", "view")
        done = one.run()
        assert (done.put_off, done.wait) == expected


@pytest.mark.parametrize("lease", [5, 60])
def test_lease_seconds_is_how_long_who_died_is_waited_for(opened, lease):
    one = opened({"lease_seconds": lease})
    one.open_for("ann")
    one.happens("e1", "ann")
    following, follower = one.store.following, one.following.follower
    following.read_on(limit=9, now=one.now, settles=timedelta(0))

    def die(due):
        raise KeyboardInterrupt

    object.__setattr__(follower, "_decided", die)
    with pytest.raises(KeyboardInterrupt):
        follower.round()
    one.following = one.another()
    assert decides(one, lease - 1) == 0 and decides(one, 1) == 1


@pytest.mark.parametrize("many", [1, 4])
def test_deliver_at_once_is_how_many_letters_are_under_way(opened, other_side, many):
    one = opened({"deliver_at_once": many})
    names = [f"n{number}" for number in range(8)]
    one.open_for(*names)
    for name in names:
        one.happens(f"e {name}", name)
    lock, now, most = threading.Lock(), [0], [0]

    def count(_letter):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.1)
        with lock:
            now[0] -= 1

    other_side.meanwhile = count
    one.run()
    assert most == [many]


def test_metrics_port_is_where_its_figures_are(opened, unused_port):
    registry = CollectorRegistry()
    FollowMetrics.on(registry).lag.set(7)
    serve_metrics(0, registry)
    serve_metrics(unused_port, registry)
    with urllib.request.urlopen(f"http://127.0.0.1:{unused_port}/metrics", timeout=5) as answer:
        assert b"onje_follow_lag_seconds 7.0" in answer.read()
    with pytest.raises(NotReadyError, match="metrics_port"):
        serve_metrics(unused_port, registry)


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_an_unknown_kind_ends_the_start():
    with pytest.raises(SettingsError, match="did you mean webhook"):
        loaded(kind="webhok")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://mail.example.com/", "only https"),
        ("https://10.0.0.1/", "private"),
        ("https://2130706433/", "in a form that is not read"),
        ("https://me:it@mail.example.com/", "no name or password"),
    ],
)
def test_a_url_that_may_not_be_called_ends_the_start(url, why):
    with pytest.raises(SettingsError, match=why):
        loaded(url=url)


def test_allow_opens_ones_own_network():
    sender = {"outputs": {"sender": SENDER | {"url": "http://10.0.0.1:8080/"}}}
    with pytest.raises(SettingsError):
        load_settings(SETTINGS_FILE, [sender, {"outbound": {"allow": ["10.0.0.1:9090"]}}])
    assert load_settings(SETTINGS_FILE, [sender, {"outbound": {"allow": ["10.0.0.1:8080"]}}])


@pytest.mark.parametrize(("only", "told"), [("sends", []), ("all", ["wait"])])
def test_only_is_what_goes_out(opened, other_side, only, told):
    one = opened(only=only)
    one.open_for("bob")
    one.happens("e1", "bob", "view", product_id="mug")
    one.run()
    assert other_side.actions() == told


def test_timeout_seconds_is_how_long_an_answer_is_waited_for(opened, other_side):
    one = opened(timeout_seconds=0.2)
    other_side.meanwhile = lambda _: time.sleep(0.5)
    one.open_for("ann")
    one.happens("e1", "ann")
    one.run()
    [row] = one.store.outbox.listed("waiting", output="sender", limit=9)
    assert "no answer within 0.2 s" in row.status


@pytest.mark.parametrize("attempts", [1, 2])
def test_attempts_is_how_often_it_is_tried(opened, other_side, attempts):
    one = opened(attempts=attempts)
    other_side.answers = [500] * 9
    one.open_for("ann")
    one.happens("e1", "ann")
    for _ in range(4):
        one.run()
        one.pass_time(minutes=2)
    assert len(other_side.got) == attempts
    with one.store._connections.reading() as connection:
        assert [row.state for row in connection.execute(outbox.select())] == ["dead"]


def test_retry_seconds_doubles_until_retry_most_seconds():
    sender = loaded().outputs["sender"]
    assert [backoff_s(n, sender, 0.5) for n in (1, 2, 3, 4, 99)] == [10, 20, 40, 60, 60]
    assert (backoff_s(1, sender, 0.0), backoff_s(1, sender, 0.999)) == (5, pytest.approx(15, 0.01))


def test_the_secret_of_an_output_is_a_known_variable_and_others_are_not(tmp_path):
    at = {"ONJE_HOME": str(tmp_path)}
    assert places(at | {"ONJE_OUTPUT_SENDER_SECRET": "x"})
    with pytest.raises(SettingsError, match="unknown environment variable"):
        places(at | {"ONJE_OUTPUT_SENDER_SECRETS": "x"})

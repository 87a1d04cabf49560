"""What tests of deciding unasked share: a shop, who follows it, and the other side of a webhook."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry

from pipelines.delivering import Deliverer
from pipelines.effective import read_settings
from pipelines.follow import Follower
from pipelines.follow_metrics import FollowMetrics
from pipelines.following import Following
from pipelines.outputs.opening import outputs_of
from pipelines.settings import load_settings
from serving.opening import open_live
from serving.secret import Secret
from tests.serving.api.service import NOON, SETTINGS_FILE
from tests.serving.store.rows import customers, event, events, history, products

SECRET = Secret(b"the root secret of all API tests")
# Nobody is held out and nothing is drawn, so that what is decided follows from what happened.
PLAIN = {"policy": {"holdout_share": 0, "explore_emails": 0, "explore_emails_at_first": 0}}


class Shop:
    """A store with some customers, and what follows it; the clock is the test's."""

    def __init__(self, home, url, *, receiver=None, patches=(), name="sender", **output):
        self.now = NOON
        told = {
            "kind": "webhook", "url": receiver.url if receiver else "https://mail.example.com/",
            "only": "sends", "timeout_seconds": 2, "attempts": 3, "retry_seconds": 10,
            "retry_most_seconds": 1000,
        } | output  # fmt: skip
        allow = [receiver.place] if receiver else []
        self.patches = [
            {"outputs": {name: told}, "outbound": {"allow": allow}},
            {"follow": {"settle_seconds": 0}},
            {"service": {"patience_seconds": 5}}, PLAIN, *patches,
        ]  # fmt: skip
        self.settings = load_settings(SETTINGS_FILE, self.patches)
        self.live = open_live(
            home=home, store_url=url, read=self._read, clock=lambda: self.now,
            registry=CollectorRegistry(), secret=SECRET,
        )  # fmt: skip
        self.store = self.live.store
        self.following = self.another()

    def _read(self, more):
        return read_settings(SETTINGS_FILE, [*self.patches, *more])

    def another(self):
        """A follower beside, as another process has it."""
        outputs = outputs_of(
            self.settings.outputs, self.settings.outbound, environment={}, secret=SECRET
        )
        return Following(
            self.live,
            Follower(self.live, self.settings.follow, self.settings.outputs),
            Deliverer(
                self.live, outputs, self.settings.outputs,
                clock=lambda: datetime.now(UTC), chance=lambda: 0.5,
            ),
            FollowMetrics.on(CollectorRegistry()),
            tell=print,
        )  # fmt: skip

    def pass_time(self, **more):
        self.now += timedelta(**more)

    def open_for(self, *names):
        """People who agreed to e-mail and bought a mug two days ago."""
        past = [
            one
            for name in names
            for one in (
                event(f"c {name}", name, "consent", 999, reason="granted", channel="email"),
                event(f"m {name}", name, "send", 72, email="newsletter", channel="email"),
                event(
                    f"o {name}", name, "order", 48,
                    order_id=name, amount="9", product_id="mug",
                ),
            )
        ]  # fmt: skip
        zone = {"timezone": "America/New_York"}
        self.store.publish(
            history(*past),
            customers(*({"customer_id": name, **zone} for name in names)),
            products(*({"product_id": one} for one in ("mug", "pen", "cup"))),
            newest_events=100,
            compaction=0,
            about={"lake_versions": {}, "at": NOON.isoformat()},
        )

    def happens(self, event_id, name, kind="cart_add", **more):
        if kind == "cart_add":
            more = {"product_id": "pen"} | more
        values = {"at": self.now, "known_at": self.now} | more
        self.store.append_events(events(event(event_id, name, kind, **values)))
        self.pass_time(seconds=1)  # what happens now is past for who decides next

    def run(self):
        """One run of whatever is due now."""
        done = self.following.run_once()
        self.following = self.another()
        return done

    def close(self):
        self.store.close()


@contextmanager
def shop(home, url, **more):
    opened = Shop(home, url, **more)
    try:
        yield opened
    finally:
        opened.close()


class Receiver:
    """The other side: keeps what came, answers what a test wants."""

    def __init__(self):
        self.got, self.answers, self.headers = [], [], {}
        self.meanwhile = lambda letter: None
        lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    letter = (dict(self.headers), body)
                    receiver.got.append(letter)
                    answer = receiver.answers.pop(0) if receiver.answers else 204
                receiver.meanwhile(letter)
                self.send_response(answer)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.place = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.place}/hook"

    def letters(self):
        return [json.loads(body) for _, body in self.got]

    def actions(self):
        return [one["action"] for one in self.letters()]


@contextmanager
def receiver():
    opened = Receiver()
    thread = threading.Thread(target=partial(opened.server.serve_forever, poll_interval=0.02))
    thread.start()
    try:
        yield opened
    finally:
        opened.server.shutdown()
        thread.join()
        opened.server.server_close()

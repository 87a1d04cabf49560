"""The service in process, with a clock to set: what the API tests talk to."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
from anyio.from_thread import start_blocking_portal
from prometheus_client import CollectorRegistry

from pipelines.effective import read_settings
from serving.access.keys import new_key
from serving.access.scopes import Scope
from serving.app import create_app
from serving.opening import open_live
from serving.secret import Secret
from tests.serving.store.rows import customers, event, history, products

SETTINGS_FILE = Path(__file__).parents[3] / "onje.toml"
# Made anew in each home with all scopes, for whoever does not ask as somebody else.
KEY_NAME = "tests"
NOON = datetime(2024, 5, 1, 16, tzinfo=UTC)  # in New York, where these customers live


class Service:
    """One process of Onje on `home`; several may share it."""

    def __init__(
        self, home: Path, portal, *, patches=(), routers=(), hooks=(), store_url=None
    ) -> None:
        self.now = NOON
        self._portal = portal
        fixed = {
            "service": {"warm_up_customers": 0, "patience_seconds": 0.3, "reload_seconds": 0.2}
        }
        self._read = lambda more: read_settings(SETTINGS_FILE, [fixed, *patches, *more])
        self.app = create_app(
            partial(
                open_live,
                home=home,
                store_url=store_url or f"sqlite:///{home / 'store.db'}",
                read=self._read,
                clock=lambda: self.now,
                registry=CollectorRegistry(),
                secret=Secret(b"the root secret of all API tests"),
            ),
            routers=routers,
            hooks=hooks,
        )

    @property
    def live(self):
        return self.app.state.live

    def pass_time(self, **more) -> None:
        self.now += timedelta(**more)

    def wait(self, seconds) -> None:
        """Let the service's own loop run."""
        self._portal.call(asyncio.sleep, seconds)

    def do(self, work, *args):
        """Run `work` in the service's own loop."""

        async def done():
            return work(*args)

        return self._portal.call(done)

    def make_key(self, *, scopes=tuple(Scope), lasts=None, known=True):
        """A key as text; the service knows it at once, unless it shall not yet be `known`."""
        key, text = new_key(name=KEY_NAME, scopes=scopes, lasts=lasts, now=self.now)
        self.live.store.add_key(key)
        if known:
            self.live.gate.keys.refresh()
        return text

    def get(self, path):
        return self.at_once([("GET", path, None)])[0]

    def post(self, path, body=None, **more):
        return self.at_once([("POST", path, body)], **more)[0]

    def at_once(self, calls, **more):
        """The answers to calls (method, path, body) that are all under way together."""
        return self.soon(calls, **more).result()

    def soon(self, calls, **more):
        """A future of the same, so that two services can be asked at the same moment."""

        async def ask():
            async with self._client() as client:
                return await asyncio.gather(
                    *(client.request(m, path, json=body, **more) for m, path, body in calls)
                )

        return self._portal.start_task_soon(ask)

    def send(self, **request):
        """The answer to one request as httpx takes it: raw bytes, odd headers, any method."""

        async def ask():
            async with self._client() as client:
                return await client.request(**request)

        return self._portal.call(ask)

    def send_at_once(self, requests):
        """The answers to requests that are all under way together."""

        async def ask():
            async with self._client() as client:
                return await asyncio.gather(*(client.request(**one) for one in requests))

        return self._portal.call(ask)

    def ask_as(self, headers, **request):
        """The answer to a request with these headers and no key of the tests' own."""
        return self.soon_as(headers, **request).result()

    def soon_as(self, headers, **request):
        """A future of the same."""

        async def ask():
            async with self._client() as client:
                del client.headers["Authorization"]
                return await client.request(headers=headers, **request)

        return self._portal.start_task_soon(ask)

    def do_async(self, work, *args):
        """Run the coroutine function `work` in the service's own loop."""
        return self._portal.call(work, *args)

    def _client(self):
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.AsyncClient(transport=transport, base_url="http://onje", headers=headers)

    def decide(self, request_id, customer_id="ann", **more):
        body = {"request_id": request_id, "customer_id": customer_id, **more}
        answer = self.post("/v1/decide", body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def tell(self, *events):
        answer = self.post("/v1/events", {"events": list(events)})
        assert answer.status_code == 200, answer.text
        self.pass_time(seconds=1)  # what happened now is past for the next question
        return answer.json()


@contextmanager
def running(home: Path, **more):
    """A started service; it stops at the end."""
    with start_blocking_portal() as portal:
        service = Service(home, portal, **more)
        with portal.wrap_async_context_manager(service.app.router.lifespan_context(service.app)):
            service.key = service.make_key()
            yield service


def publish(service: Service) -> None:
    """Ann agreed to e-mail, got the newsletter three days ago and bought a mug a day later.

    So nothing has to be said to her now.
    """
    past = [
        event("c1", kind="consent", reason="granted", channel="email", hours_ago=999),
        event("m1", kind="send", email="newsletter", channel="email", hours_ago=72),
        event("o1", kind="order", order_id="1", amount="9", product_id="mug", hours_ago=48),
    ]
    service.live.store.publish(
        history(*past),
        customers({"customer_id": "ann", "timezone": "America/New_York"}),
        products(*({"product_id": product} for product in ("mug", "pen", "cup"))),
        newest_events=100,
        compaction=0,
        about={},
    )


# Two hours ago she put a pen into her cart: that is worth a reminder.
CART = {
    "customer_id": "ann",
    "kind": "cart_add",
    "product_id": "pen",
    "at": (NOON - timedelta(hours=2)).isoformat(),
}

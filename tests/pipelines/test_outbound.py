"""The one road to the outside: what is refused is refused before anything is connected to."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipelines.outbound import Refused, Road, Unreachable, target_of, why_closed

HOST = "hooks.example.com"


@pytest.fixture
def connections(monkeypatch):
    """Every address that anything tries to connect to."""
    tried = []
    connect = socket.socket.connect

    def noted(self, address):
        tried.append(address)
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    return tried


def road(*addresses, hosts=(HOST,), own=(), **more):
    return Road(hosts=hosts, own=own, resolve=lambda host, port: addresses, **more)


class Looked:
    """A resolver that says something else each time it is asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    def __call__(self, host, port):
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


REFUSED = {
    "no scheme": "hooks.example.com/x",
    "plain": "http://hooks.example.com/",
    "file": "file:///etc/passwd",
    "gopher": "gopher://hooks.example.com/",
    "name and password": "https://me:secret@hooks.example.com/",
    "name that looks like a host": "https://hooks.example.com@127.0.0.1/",
    "host behind a backslash": "https://hooks.example.com\\@127.0.0.1/",
    "space": "https://hooks.example.com /",
    "line break": "https://hooks.example.com/\r\nHost: x",
    "tab": "https://hooks.exa\tmple.com/",
    "NUL": "https://hooks.example.com\x00.evil.example/",
    "letters that look alike": "https://hooks。example。com/",
    "digits in circles": "https://①②⑦.0.0.1/",
    "percent": "https://%31%32%37.0.0.1/",
    "fragment": "https://hooks.example.com/#@127.0.0.1/",
    "empty fragment": "https://hooks.example.com/#",
    "no host": "https:///x",
    "dots": "https://hooks..example.com/",
    "no port": "https://hooks.example.com:0/",
    "long port": "https://hooks.example.com:65536/",
    "loopback": "https://127.0.0.1/",
    "loopback's end": "https://127.255.255.254/",
    "localhost": "https://localhost/",
    "decimal": "https://2130706433/",
    "hexadecimal": "https://0x7f000001/",
    "hexadecimal parts": "https://0x7f.0x0.0x0.0x1/",
    "octal": "https://0177.0.0.1/",
    "octal whole": "https://017700000001/",
    "short": "https://127.1/",
    "three parts": "https://127.0.1/",
    "leading noughts": "https://127.000.000.001/",
    "trailing dot": "https://127.0.0.1./",
    "too large": "https://256.0.0.1/",
    "this network": "https://0.0.0.0/",
    "zero": "https://0/",
    "private 10": "https://10.1.2.3/",
    "private 172": "https://172.16.0.1/",
    "private 192": "https://192.168.1.1/",
    "carrier": "https://100.64.0.1/",
    "metadata": "https://169.254.169.254/latest/meta-data/",
    "benchmark": "https://198.18.0.1/",
    "documentation": "https://192.0.2.1/",
    "multicast": "https://224.0.0.1/",
    "reserved": "https://240.0.0.1/",
    "broadcast": "https://255.255.255.255/",
    "IPv6 loopback": "https://[::1]/",
    "IPv6 unspecified": "https://[::]/",
    "IPv6 link-local": "https://[fe80::1]/",
    "IPv6 interface": "https://[fe80::1%25eth0]/",
    "IPv6 unique local": "https://[fd00::1]/",
    "IPv6 metadata": "https://[fd00:ec2::254]/",
    "IPv6 multicast": "https://[ff02::1]/",
    "IPv6 site-local": "https://[fec0::1]/",
    "IPv6 documentation": "https://[2001:db8::1]/",
    "mapped": "https://[::ffff:127.0.0.1]/",
    "mapped in hexadecimal": "https://[::ffff:7f00:1]/",
    "compatible": "https://[::127.0.0.1]/",
    "translated": "https://[::ffff:0:127.0.0.1]/",
    "NAT64": "https://[64:ff9b::7f00:1]/",
    "NAT64 of one's own": "https://[64:ff9b:1::7f00:1]/",
    "6to4": "https://[2002:7f00:1::]/",
    "Teredo": "https://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    "not configured": "https://elsewhere.example.com/",
}


@pytest.mark.parametrize("url", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_never_connected_to(url, connections):
    """Even where somebody configured just that host."""
    hosts = {HOST}
    try:
        if "elsewhere" not in url:
            hosts.add(target_of(url).host)
    except Refused:
        pass
    local = Road(hosts=hosts, own=(), resolve=lambda host, port: ["127.0.0.1"])
    with pytest.raises(Refused):
        local.post(url, b"{}", {}, timeout_s=1)
    assert connections == []


CLOSED = (
    "127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1", "fe80::1%eth0", "fd00::1",
    "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "224.0.0.251", "0.0.0.0",
)  # fmt: skip


@pytest.mark.parametrize("address", CLOSED)
def test_a_name_that_leads_inside_is_refused_whatever_else_it_leads_to(address, connections):
    with pytest.raises(Refused, match="leads to"):
        road("93.184.216.34", address).post(f"https://{HOST}/", b"", {}, timeout_s=1)
    assert connections == []


def test_public_addresses_are_open():
    for text in ("93.184.216.34", "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808"):
        assert why_closed(text, is_own=False) is None


def test_ones_own_network_is_open_to_whom_it_is_named_and_metadata_to_nobody():
    assert why_closed("10.0.0.1", is_own=True) is None
    assert why_closed("::1", is_own=True) is None
    for text in ("169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::ffff:169.254.169.254"):
        assert why_closed(text, is_own=True)


@contextmanager
def server(context=None, *, status=204, headers=(), body=b"", slow_s=0.0):
    """A server on this machine; yields its port and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            text = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, dict(self.headers), text))
            if slow_s:  # a letter now and then: no single read takes too long
                for letter in b"HTTP/1.1 204 No Content\r\n":
                    time.sleep(slow_s)
                    try:
                        self.wfile.write(bytes([letter]))
                    except OSError:
                        return
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass

    local = Quiet(("127.0.0.1", 0), Handler)
    if context:
        local.socket = context.wrap_socket(local.socket, server_side=True)
    thread = threading.Thread(target=local.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield local.server_address[1], asked
    finally:
        local.shutdown()
        thread.join()
        local.server_close()


def own(port):
    return Road(hosts={HOST}, own={f"{HOST}:{port}"}, resolve=lambda host, _: ["127.0.0.1"])


def test_a_host_of_ones_own_gets_the_letter_under_its_name(connections):
    with server() as (port, asked):
        answer = own(port).post(
            f"http://{HOST}:{port}/hook?a=1", b'{"a":1}', {"X-One": "1"}, timeout_s=5
        )
    [(path, headers, body)] = asked
    assert (answer.status, path, body) == (204, "/hook?a=1", b'{"a":1}')
    assert (headers["Host"], headers["X-One"]) == (f"{HOST}:{port}", "1")
    assert connections == [("127.0.0.1", port)]


def test_another_port_of_a_host_of_ones_own_is_not_meant(connections):
    with pytest.raises(Refused, match="only https"):
        own(8080).post(f"http://{HOST}:22/", b"", {}, timeout_s=1)
    assert connections == []


def test_a_name_is_looked_up_once_and_what_was_looked_at_is_connected_to(connections):
    """The second answer of a resolver that changes its mind leads nobody anywhere."""
    with server() as (port, asked):
        resolve = Looked(["127.0.0.1"], ["127.0.0.2"])
        Road(hosts={HOST}, own={HOST}, resolve=resolve).post(
            f"http://{HOST}:{port}/", b"", {}, timeout_s=5
        )
    assert resolve.asked == len(asked) == 1
    assert connections == [("127.0.0.1", port)]


def test_a_redirect_is_an_answer_and_not_followed(connections):
    with (
        server() as (inside, asked_inside),
        server(status=307, headers=[("Location", f"http://127.0.0.1:{inside}/")]) as (port, _),
    ):
        answer = own(port).post(f"http://{HOST}:{port}/", b"", {}, timeout_s=5)
    assert answer.status == 307 and not asked_inside
    assert connections == [("127.0.0.1", port)]


def test_proxies_of_the_environment_are_not_asked(monkeypatch, connections):
    for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with server() as (port, asked):
        own(port).post(f"http://{HOST}:{port}/", b"", {}, timeout_s=5)
    assert asked and connections == [("127.0.0.1", port)]


def test_of_a_long_answer_only_the_beginning_is_read():
    with server(status=200, body=b"x" * 1_000_000) as (port, _):
        answer = own(port).post(f"http://{HOST}:{port}/", b"", {}, timeout_s=5)
    assert len(answer.body) == 65_536


def test_who_answers_a_letter_at_a_time_is_given_up_in_time():
    with server(slow_s=0.1) as (port, _):
        began = time.monotonic()
        with pytest.raises(Unreachable, match="no answer within 0.5 s"):
            own(port).post(f"http://{HOST}:{port}/", b"", {}, timeout_s=0.5)
        assert time.monotonic() - began < 1.5


def test_nobody_there_is_told_without_the_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match="Connection refused") as told:
        own(port).post(f"http://{HOST}:{port}/secret-path", b"", {}, timeout_s=1)
    assert "secret-path" not in str(told.value)


def test_a_name_that_nobody_knows():
    def resolve(host, port):
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(Unreachable, match="cannot be looked up"):
        Road(hosts={HOST}, own=(), resolve=resolve).post(f"https://{HOST}/", b"", {}, timeout_s=1)


@pytest.fixture
def certificate(tmp_path):
    """One for HOST, signed by itself."""
    names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names,
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def test_certificates_are_checked_under_the_name_that_was_asked_for(certificate):
    cert, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    asked_for = []
    context.sni_callback = lambda sock, name, _: asked_for.append(name)

    def trusting(host):
        return Road(
            hosts={host},
            own={host},
            resolve=lambda host, _: ["127.0.0.1"],
            trust=lambda: ssl.create_default_context(cafile=cert),
        )

    with server(context) as (port, asked):
        answer = trusting(HOST).post(f"https://{HOST}:{port}/", b"{}", {}, timeout_s=5)
        assert answer.status == 204 and asked_for == [HOST]
        with pytest.raises(Unreachable, match="Hostname mismatch"):
            trusting("other.example.com").post(
                f"https://other.example.com:{port}/", b"{}", {}, timeout_s=5
            )
        stranger = Road(hosts={HOST}, own={HOST}, resolve=lambda host, _: ["127.0.0.1"])
        with pytest.raises(Unreachable, match="self-signed|self signed"):
            stranger.post(f"https://{HOST}:{port}/", b"{}", {}, timeout_s=5)
        assert len(asked) == 1

"""Starting and stopping, the connection for Airflow, and many callers at once."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote, urlsplit

import pytest
import requests

from tallyfy_emulator import Emulator, Fault


def test_it_listens_between_start_and_stop_and_restarts_with_the_same_runs(caller_with):
    emulator = Emulator(seed=False)
    with pytest.raises(RuntimeError, match="does not run"):
        emulator.base_url  # noqa: B018
    with emulator:
        emulator.add_run("kept")
        address = emulator.base_url
        with pytest.raises(RuntimeError, match="runs already"):
            emulator.start()
        emulator.stop()
        emulator.stop()
        with pytest.raises(requests.ConnectionError):
            requests.get(address, timeout=1)
        emulator.start()
        assert emulator.base_url == address
        assert caller_with(emulator).names() == ["kept"]


def test_a_port_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"can't listen on 127.0.0.1 port {port}"):
            Emulator(port=port, seed=False).start()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.com"])
def test_other_interfaces_need_allow_remote(host):
    with pytest.raises(ValueError, match="--allow-remote"):
        Emulator(seed=False, host=host)
    Emulator(seed=False, host=host, allow_remote=True)


def test_it_listens_on_ipv6_too(caller_with):
    try:
        with Emulator(seed=False, host="::1") as emulator:
            assert emulator.base_url.startswith("http://[::1]:")
            assert caller_with(emulator).get("/me").status_code == 200
            emulator.order(Fault(kind="reset"))
            with pytest.raises(requests.ConnectionError):
                caller_with(emulator).get("/me")
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")


def test_the_connection_as_json(emulator):
    assert json.loads(emulator.connection_json()) == {
        "conn_type": "tallyfy",
        "host": emulator.base_url,
        "login": emulator.organization_id,
        "password": emulator.token,
    }
    with_client = json.loads(emulator.connection_json("client_credentials"))
    assert with_client["password"] == emulator.client_secret
    assert with_client["extra"] == {"client_id": emulator.client_id}
    with_password = json.loads(emulator.connection_json("password"))
    assert with_password["extra"].items() >= {"username": emulator.username}.items()
    with pytest.raises(ValueError, match="'magic' is no way"):
        emulator.connection_json("magic")


def test_the_connection_as_uri(emulator):
    parts = urlsplit(emulator.connection_uri())

    assert parts.scheme == "tallyfy"
    assert parts.username == emulator.organization_id
    assert parts.password == emulator.token
    assert unquote(parts.netloc.rpartition("@")[2]) == emulator.base_url
    assert f"client_id={emulator.client_id}" in emulator.connection_uri("password")


def test_many_callers_and_changes_at_once(emulator, caller):
    def work(number: int) -> int:
        run_id = emulator.add_run(f"run {number}")["id"]
        emulator.complete_run(run_id)
        return caller.run(run_id).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(80))) == {200}
    assert caller.listed("status=complete")["meta"]["pagination"]["total"] == 80
    assert len({row["increment_id"] for row in caller.listed("without_pagination=true")["data"]}) == 80


def test_a_large_list_is_quick(emulator, caller):
    ids = emulator.add_runs(5000)
    session = requests.Session()
    session.headers.update(caller.headers)
    url = f"{emulator.base_url}{caller.runs_path}?sort=created_at&per_page=100"

    began = time.process_time()  # the server is a thread of this process
    walked = [row["id"] for page in range(1, 51) for row in session.get(f"{url}&page={page}", timeout=5).json()["data"]]
    seconds = time.process_time() - began

    assert walked == ids
    assert seconds < 5, "a few milliseconds a page; this bound only catches a quadratic slip"

"""The emulator: start and stop the server, and control what it answers."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from tallyfy_emulator.admin.runs import RunAdmin
from tallyfy_emulator.admin.tasks import TaskAdmin
from tallyfy_emulator.airflow_connection import Grant, connection_json, connection_uri
from tallyfy_emulator.middleware.faults import Fault
from tallyfy_emulator.middleware.rate_limit import RateLimit
from tallyfy_emulator.middleware.recorder import RequestRecord
from tallyfy_emulator.middleware.traffic import Traffic
from tallyfy_emulator.model.quirks import Quirks
from tallyfy_emulator.seed.colleagues import add_colleagues
from tallyfy_emulator.seed.runs import catalog, seed_runs
from tallyfy_emulator.server import ServerThread, is_loopback
from tallyfy_emulator.store.clock import Clock, SystemClock
from tallyfy_emulator.store.organization import FIRST_NUMBER, Organization


class Emulator(RunAdmin, TaskAdmin):
    """
    A Tallyfy on this machine, with one organization in memory.

    A context manager: the server runs in a thread of its own from entry to exit. All methods may be called
    from any thread, also before the start.

    :param port: TCP port; 0 = a free one.
    :param seed: whether there are runs to begin with (people, templates, tags and folders there always are).
    :param colleagues: whether people launch processes and finish them for as long as it runs, and take minutes for
        the steps of what Dags launch: for trying things out in a browser.
    :param first_number: the number of the first run, from which ids are derived: two emulators far enough apart have
        no id in common.
    :param clock: where the time comes from.
    :param rate_limit: how many requests are welcome: a :class:`RateLimit`, or text such as ``100/60``; None =
        any number.
    :param comment_limit: how many comments, problems and resolutions are welcome, as ``rate_limit``: ``120/3600`` is
        what Tallyfy documents; None = any number.
    :param quirks: the shapes that answers take.
    :param host: address to listen on.
    :param allow_remote: permit a ``host`` that other machines can reach. There is no protection whatsoever
        then.
    :raises ValueError: if ``host`` is not loopback and ``allow_remote`` is not set, or ``rate_limit`` can't
        be read.
    """

    def __init__(
        self,
        port: int = 0,
        seed: bool = True,
        clock: Clock | None = None,
        rate_limit: RateLimit | str | None = None,
        quirks: Quirks | None = None,
        *,
        host: str = "127.0.0.1",
        allow_remote: bool = False,
        comment_limit: RateLimit | str | None = None,
        colleagues: bool = False,
        first_number: int = FIRST_NUMBER,
    ) -> None:
        if not allow_remote and not is_loopback(host):
            raise ValueError(
                f"{host!r} can be reached by other machines, and the emulator protects nothing. "
                "Listen on 127.0.0.1, or say allow_remote=True (--allow-remote) if you mean it."
            )
        self._host = host
        self._port = port
        clock = clock or SystemClock()
        super().__init__(Organization(clock, catalog(), quirks or Quirks(), first_number))
        self._traffic = Traffic.begin(clock, RateLimit.of(rate_limit), RateLimit.of(comment_limit))
        if seed:
            seed_runs(self._organization)
        if colleagues:
            add_colleagues(self._organization)
        self._running: ServerThread | None = None

    def start(self) -> Emulator:
        """
        Start the server. After :meth:`stop`, it is started on the same port, with the same runs and tokens.

        :return: this object.
        :raises RuntimeError: if it runs already, or does not start.
        :raises OSError: if the port can't be had.
        """
        if self._running is not None:
            raise RuntimeError(f"The emulator runs already, at {self.base_url}.")
        self._running = ServerThread(self._organization, self._traffic, self._host, self._port)
        self._port = self._running.port  # a restarted emulator is found where it was
        return self

    def stop(self) -> None:
        """
        Stop the server; requests that are still waiting are reset. Does nothing if it does not run.

        :raises RuntimeError: if it does not stop within ten seconds.
        """
        running, self._running = self._running, None
        if running is not None:
            running.stop()

    def __enter__(self) -> Emulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port on which the server listens."""
        if self._running is None:
            raise RuntimeError("The emulator does not run: use it in a with statement, or call start().")
        return self._running.port

    @property
    def base_url(self) -> str:
        """The API's address, such as ``http://127.0.0.1:8123``. With ``/api`` behind it, it works as well."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    @property
    def organization_id(self) -> str:
        """The id of the organization, 32 hexadecimal digits."""
        return self._organization.catalog.organization_id

    @property
    def token(self) -> str:
        """A personal access token, whose holder is an administrator."""
        return self._organization.credentials.token

    @property
    def client_id(self) -> str:
        """The number of the application that may ask for tokens."""
        return self._organization.credentials.client_id

    @property
    def client_secret(self) -> str:
        """The secret of that application."""
        return self._organization.credentials.client_secret

    @property
    def username(self) -> str:
        """The e-mail address of the token's holder, for the password grant."""
        return self._organization.credentials.username

    @property
    def user_password(self) -> str:
        """The password of the token's holder."""
        return self._organization.credentials.user_password

    @property
    def people(self) -> dict[str, int]:
        """The members of the organization: e-mail address to id."""
        return {each.email: each.id for each in self._organization.catalog.people}

    @property
    def checklists(self) -> dict[str, str]:
        """The templates: title to id."""
        return {each.title: each.id for each in self._organization.catalog.checklists.values()}

    @property
    def tags(self) -> dict[str, str]:
        """The tags: title to id."""
        return {each.name: each.id for each in self._organization.catalog.tags.values()}

    @property
    def folders(self) -> dict[str, str]:
        """The folders: name to id."""
        return {each.name: each.id for each in self._organization.catalog.folders.values()}

    @property
    def groups(self) -> dict[str, str]:
        """The groups: name to id."""
        return {each.name: each.id for each in self._organization.catalog.groups.values()}

    @property
    def tracker_url(self) -> str:
        """The address of the page that lists processes; behind a slash and a run's id, that of the run's page."""
        return f"{self.base_url}/tracker"

    def connection_json(self, grant: Grant = "token") -> str:
        """
        Return an Airflow connection to this emulator, as ``AIRFLOW_CONN_TALLYFY_DEFAULT`` takes it.

        :param grant: how it authenticates: ``token`` (the personal one), ``client_credentials`` or
            ``password``.
        :return: JSON.
        :raises ValueError: if ``grant`` is none of these.
        """
        return connection_json(self._organization, self.base_url, grant)

    def connection_uri(self, grant: Grant = "token") -> str:
        """
        Return the same connection as a URI.

        :param grant: as for :meth:`connection_json`.
        :return: the URI.
        :raises ValueError: as for :meth:`connection_json`.
        """
        return connection_uri(self._organization, self.base_url, grant)

    def order(self, fault: Fault) -> None:
        """
        Order something to go wrong.

        :param fault: what, with which requests, how often.
        """
        self._traffic.faults.order(fault)

    def clear_faults(self) -> None:
        """Forget all ordered faults."""
        self._traffic.faults.clear()

    @property
    def requests(self) -> list[RequestRecord]:
        """The requests so far, in the order in which they came in."""
        return self._traffic.log.all()

    @property
    def most_at_once(self) -> int:
        """The most requests that were under way at the same time so far, each until its answer began."""
        return self._traffic.log.most_at_once

    def clear_requests(self) -> None:
        """Forget the requests so far."""
        self._traffic.log.clear()

    def listen(self, listener: Callable[[RequestRecord], None] | None) -> None:
        """
        Call a function after every request.

        :param listener: called on the server's thread, so it must be quick; None = nobody.
        """
        self._traffic.log.listener = listener

    def revoke(self, token: str) -> None:
        """
        End a token: it answers 401 from now on.

        :param token: an access token or a refresh token.
        :raises ValueError: if there is no such token.
        """
        if not self._organization.tokens.revoke(token):
            raise ValueError("The emulator knows no such token, or it was revoked before.")

    @property
    def token_lifetime(self) -> float | None:
        """Seconds for which tokens issued from now on are valid; None = each kind's own lifetime."""
        return self._organization.tokens.lifetime

    @token_lifetime.setter
    def token_lifetime(self, seconds: float | None) -> None:
        self._organization.tokens.lifetime = seconds

    @property
    def quirks(self) -> Quirks:
        """The shapes that answers take; may be set at any time."""
        return self._organization.quirks

    @quirks.setter
    def quirks(self, quirks: Quirks) -> None:
        self._organization.quirks = quirks

    @property
    def rate_limit(self) -> RateLimit | None:
        """How many requests are welcome; may be set at any time, also as text such as ``100/60``."""
        return self._traffic.limiter.limit

    @rate_limit.setter
    def rate_limit(self, limit: RateLimit | str | None) -> None:
        self._traffic.limiter.limit = RateLimit.of(limit)

    @property
    def comment_limit(self) -> RateLimit | None:
        """How many comments are welcome; may be set at any time, also as text such as ``120/3600``."""
        return self._traffic.comment_limiter.limit

    @comment_limit.setter
    def comment_limit(self, limit: RateLimit | str | None) -> None:
        self._traffic.comment_limiter.limit = RateLimit.of(limit)

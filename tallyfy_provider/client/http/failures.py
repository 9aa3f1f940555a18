"""Map exceptions of requests and urllib3 to failures: what happened, and whether the request may have been sent."""

from __future__ import annotations

import logging
import os
import re
import ssl
from urllib.request import getproxies

import requests
import urllib3.exceptions

from tallyfy_provider.client.http.body import BodyError, still_coming_in
from tallyfy_provider.client.http.deadline import Deadline
from tallyfy_provider.client.http.responses import Failure

log = logging.getLogger(__name__)

#: Raised before a connection stood, so that the request cannot have reached Tallyfy.
_NEVER_CONNECTED = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
)
#: A server of plain http, or of another protocol, behind an https address.
_OTHER_NAME = re.compile("Hostname mismatch|IP address mismatch|doesn't match")
_PROXY_ANSWER = re.compile(r"Tunnel connection failed: (\d{3}[ \w-]{0,60})")
_HANDSHAKE_FAILED = re.compile("WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|UNEXPECTED_MESSAGE|HTTP_REQUEST")


def failure_from_exception(error: Exception, *, timeout: float, connect_timeout: float, deadline: Deadline) -> Failure:
    """Describe any exception as a failure, which holds neither the request nor its token."""
    if deadline.is_sent and deadline.is_over:
        return Failure(still_coming_in(deadline), sent=True, garbled=True)
    text = str(error)
    if (reason := _local_reason(error, text)) is not None:
        return Failure(reason, sent=False, permanent=True, is_local=True)
    if isinstance(error, requests.exceptions.ProxyError):
        return Failure(_proxy_reason(text, _root_cause(error)), sent=False)
    if isinstance(error, requests.exceptions.SSLError) and _OTHER_NAME.search(text):
        reason = "The server's certificate is for another host name; check the host of the connection"
        return Failure(reason, sent=False, permanent=True)
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in text:
        reason = "The server's certificate is not trusted; set REQUESTS_CA_BUNDLE to the certificates of your network"
        return Failure(reason, sent=False, permanent=True)
    if isinstance(error, requests.exceptions.SSLError) and _HANDSHAKE_FAILED.search(text):
        reason = "The server does not speak https here; a local emulator needs http://"
        return Failure(reason, sent=False, permanent=True)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return Failure(f"No connection within {connect_timeout:g} s", sent=False)
    cause = _root_cause(error)
    if deadline.is_connecting and not isinstance(cause, _NEVER_CONNECTED):
        reason = f"The connection broke before anything was sent ({_system_error(cause)})"
        return Failure(f"{reason}, at the proxy in HTTPS_PROXY perhaps" if getproxies() else reason, sent=False)
    if isinstance(error, (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError)):
        return Failure(f"No answer within {timeout:g} s", sent=True)
    if isinstance(error, BodyError):
        return Failure(text, sent=True, garbled=True)
    if isinstance(cause, urllib3.exceptions.NameResolutionError):
        return Failure("The host name cannot be resolved; it is misspelt, or the name server is out", sent=False)
    if isinstance(cause, _NEVER_CONNECTED):
        return Failure(f"No connection could be made ({_system_error(cause)})", sent=False)
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader, ValueError)):
        if deadline.is_sent:  # such as two lengths that contradict each other
            return Failure(f"Tallyfy's response cannot be read ({type(cause).__name__})", sent=True, garbled=True)
        return Failure(f"The request cannot be sent ({type(error).__name__})", sent=False, permanent=True)
    if isinstance(cause, (urllib3.exceptions.IncompleteRead, urllib3.exceptions.DecodeError)):
        return Failure("Tallyfy's response was cut off", sent=True, garbled=True)
    if not isinstance(error, (requests.RequestException, urllib3.exceptions.HTTPError, OSError)):
        log.error("A response cannot be read.", exc_info=error)
        return Failure(
            f"Tallyfy's response cannot be read ({type(error).__name__})", sent=deadline.is_sent, garbled=True
        )
    return Failure(f"The connection broke before the response was complete ({_system_error(cause)})", sent=True)


def _local_reason(error: Exception, text: str) -> str | None:
    """Return which setting of this machine keeps requests from being sent; None where none does."""
    if isinstance(error, requests.exceptions.InvalidSchema) and "SOCKS" in text:
        return "HTTPS_PROXY names a SOCKS proxy, which needs the package PySocks; install requests[socks]"
    if isinstance(error, requests.exceptions.InvalidURL) and getproxies():  # Tallyfy's own address has been checked
        return "HTTPS_PROXY is no address of a proxy; write http://proxy:port"
    if isinstance(error, requests.exceptions.ProxyError) and "Tunnel connection failed: 407" in text:
        return (
            "The proxy wants credentials (407 Proxy Authentication Required); "
            "put them into HTTPS_PROXY (http://user:password@proxy:port)"
        )
    path = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or ""
    # requests tells a missing file by an OSError of its own, the ssl module one that it cannot read in several ways
    is_missing = type(error) is OSError and "CA certificate bundle" in text
    if is_missing or (path and isinstance(_root_cause(error), ssl.SSLError) and not _has_certificates(path)):
        return f"REQUESTS_CA_BUNDLE names {path!r}, which is no file of certificates; correct or unset it"
    return None


def _has_certificates(path: str) -> bool:
    if os.path.isdir(path):
        return True
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError:
        return False
    return True


def _proxy_reason(text: str, cause: BaseException) -> str:
    if answer := _PROXY_ANSWER.search(text):
        return f"The proxy in HTTPS_PROXY answered {answer[1].strip()}, not Tallyfy"
    if isinstance(cause, urllib3.exceptions.NameResolutionError):
        return "The host name of the proxy in HTTPS_PROXY cannot be resolved"
    return f"No connection to the proxy in HTTPS_PROXY could be made ({_system_error(cause)})"


def _root_cause(error: BaseException) -> BaseException:
    """Unwrap the exceptions of requests and urllib3."""
    while True:
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        if isinstance(inner, BaseException):
            error = inner
        elif len(error.args) > 1 and isinstance(error.args[1], urllib3.exceptions.HTTPError):
            error = error.args[1]
        else:
            return error


def _system_error(error: BaseException) -> str:
    """Return the operating system's reason, the part of urllib3's long texts that helps."""
    for candidate in (error.__cause__, error.__context__, *error.args):
        if isinstance(candidate, OSError) and candidate.strerror:
            return candidate.strerror
    return type(error).__name__

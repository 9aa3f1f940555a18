"""Errors: kinds that survive the way from the triggerer and a pickle."""

from __future__ import annotations

import json
import pickle

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from tallyfy_provider import exceptions as errors
from tallyfy_provider.exceptions import TallyfyError, error_from_dict

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TallyfyError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_kind_survives_as_json_and_as_a_pickle(kind):
    error = kind("no", status=429, request="GET /me", request_id="r-1", retry_after=7.5, code="C", fields={"name": "x"})
    for copy in (error_from_dict(json.loads(json.dumps(error.to_dict()))), pickle.loads(pickle.dumps(error))):  # noqa: S301
        assert type(copy) is kind
        assert vars(copy) == vars(error)
        assert str(copy) == "no (GET /me; Tallyfy request id: r-1)"
        assert isinstance(copy, AirflowException)


def test_a_kind_from_a_newer_version_is_still_an_error_of_ours():
    assert type(error_from_dict({"kind": "TallyfyTomorrowError", "message": "m"})) is TallyfyError


def test_a_run_that_ended_badly_spends_no_retries():
    assert issubclass(errors.TallyfyRunFailedError, AirflowFailException)
    assert not issubclass(errors.TallyfyServerError, AirflowFailException)

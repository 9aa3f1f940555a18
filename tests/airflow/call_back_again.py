"""Calls back again for a Dag run that failed, as Airflow does if a Dag processor ends before it has noted the first."""

from __future__ import annotations

import sys
from pathlib import Path

from airflow.models.dagrun import DagRun
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow.utils.session import create_session

from run_example_dags import load


def main(folder: Path, dag_id: str, run_id: str) -> None:
    """Call back for a failure."""
    with create_session() as session:
        dag_run = session.query(DagRun).filter_by(dag_id=dag_id, run_id=run_id).one()
        if not AIRFLOW_V_3_0_PLUS:  # the Dag processor takes requests through a pipe: this is what it does with one
            load(folder)[0][dag_id].handle_callback(dag_run, success=False, reason="task_failure", session=session)
            return
        from airflow.callbacks.callback_requests import DagCallbackRequest, DagRunContext
        from airflow.models.db_callback_request import DbCallbackRequest

        failed = next(each for each in dag_run.get_task_instances(session=session) if str(each.state) == "failed")
        request = DagCallbackRequest(
            filepath=dag_run.dag_model.relative_fileloc,
            dag_id=dag_id,
            run_id=run_id,
            bundle_name=dag_run.dag_model.bundle_name,
            bundle_version=dag_run.bundle_version,
            context_from_server=DagRunContext(dag_run=dag_run, last_ti=failed),
            is_failure_callback=True,
            msg="task_failure",
        )
        session.add(DbCallbackRequest(callback=request, priority_weight=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])

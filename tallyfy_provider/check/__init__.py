"""
Check whether what this package relies on is true of an organization at Tallyfy (docs/check.md).

:mod:`.facts` has the facts by subject, :mod:`.runner` asks for them, :mod:`.table` and :mod:`.report` render what was
found, and :mod:`.command` is the command line. Nothing is imported here: Airflow loads :mod:`.airflow_command` at each
start of its own command line.
"""

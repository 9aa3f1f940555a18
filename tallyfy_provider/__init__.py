"""Apache Airflow provider for Tallyfy: list the processes that people do, wait for them, hand them on."""

__version__ = "1.0.0rc1"

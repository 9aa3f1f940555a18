"""Apache Airflow provider for Tallyfy: list the processes that people do, wait for them, hand them on."""

__version__ = "0.1.0"

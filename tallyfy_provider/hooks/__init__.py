"""An Airflow Connection becomes a client of Tallyfy."""

"""Links in Airflow to pages of Tallyfy."""

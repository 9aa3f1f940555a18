"""Buttons in Airflow that lead to pages of Tallyfy."""

"""What Airflow asks when a task has failed: whether another try helps, and when."""

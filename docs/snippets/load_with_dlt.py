"""What the page on tables shows: this is run as it stands."""

# --8<-- [start:load]
import dlt

from tallyfy_provider.dlt import tallyfy_source

pipeline = dlt.pipeline("tallyfy", destination="duckdb", dataset_name="processes")
pipeline.run(tallyfy_source(tables=["runs", "tasks", "answers"]))
# --8<-- [end:load]

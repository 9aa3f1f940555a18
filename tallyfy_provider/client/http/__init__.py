"""HTTP to Tallyfy: transport, retries, rate limits, authentication and errors."""

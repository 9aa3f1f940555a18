"""ASGI layers around the API: faults, rate limit, and the record of requests."""

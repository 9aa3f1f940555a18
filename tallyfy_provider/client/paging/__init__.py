"""Paginators that read lists page by page."""

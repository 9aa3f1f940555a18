"""Tallyfy's endpoints, a module for each subject; :mod:`tallyfy_provider.client.client` puts them together."""

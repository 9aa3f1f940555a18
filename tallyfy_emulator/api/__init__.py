"""The endpoints of the Tallyfy API."""

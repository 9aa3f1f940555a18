"""What a Dag author writes to wait for Tallyfy."""

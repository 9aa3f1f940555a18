"""What a Dag author writes to act on Tallyfy."""

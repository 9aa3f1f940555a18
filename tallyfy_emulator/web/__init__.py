"""The pages that people work on: what Tallyfy's web app is to its users."""

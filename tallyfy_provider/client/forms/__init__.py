"""Form fields: encode values for Tallyfy, decode, compare and merge them."""

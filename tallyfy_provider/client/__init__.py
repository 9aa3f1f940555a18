"""
Client of Tallyfy's API. It knows nothing of Dags, hooks or triggers.

``settings.ClientSettings`` and ``settings.build_client`` are where it begins, ``client.TallyfyClient`` is what it is.
They are not re-exported: parsing a Dag imports this package and must not load ``requests``.
"""

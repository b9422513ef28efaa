"""The documents that routes answer, as types for the description of the API. Times are ms since the epoch, or ISO 8601.

Members with a default may be absent. The documents are made elsewhere, mostly in `api.serialize`; tests hold real
answers against these types.
"""

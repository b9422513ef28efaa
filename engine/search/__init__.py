"""Search of stored documents: one query language for every store.

A query is a text in Lucene's syntax. `parse` makes it a tree of conditions, and `match` tests a document against the
tree. A store may use an index or its own query language to be faster, but must find exactly the same documents.
"""

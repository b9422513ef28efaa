"""Searching what is stored: one grammar for every store.

A query is a text in Lucene's syntax. `parse` makes a tree of it, which says what a document must be like; `matches`
looks whether one is. A store may find documents faster, by an index or in its own language, but never others.
"""

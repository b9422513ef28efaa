"""Profiles: the document that is stored, how operations change it, how links merge it, and what it shows.

`document` is the stored form; `fold` computes the view of all its parts. `operations` are the changes as values:
`tree` and `profile_view` apply them to a view, `apply` to the stored parts. `linking` decides which ids links join,
`joining` which links a key makes, and `grouping` which documents result; `link_history` and `merge_history` record and
explain links. `consent` and `consented` decide about consents, `tally` counts over time, `visits` counts visits, `key`
normalises identity keys.
"""

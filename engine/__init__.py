"""The meaning of everything Headrace does, without any input or output.

Five rooms, each importing only from those above it: `problem` (what can be wrong), `language` (what an
author's values mean), `profile` (parts and their fold), `flow` (nodes, graph, runs, traces) and `tracking`
(events, sessions, the unit of work).
"""

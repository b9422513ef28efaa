"""Schemas: the types of the fields of events, the type of a first value, and the casting of later ones. Pure."""

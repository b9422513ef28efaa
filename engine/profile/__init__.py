"""Profiles: the fold of their parts (`document`, `fold`), changed by operations (`operations`, `write`)."""

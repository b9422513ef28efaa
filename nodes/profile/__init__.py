"""Nodes that change the profile, join it with another profile, or attach a profile to the event."""

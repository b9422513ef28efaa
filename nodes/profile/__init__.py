"""Nodes that change the profile, merge it with another profile, or attach a profile to the event."""

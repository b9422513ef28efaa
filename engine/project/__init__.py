"""The configuration that authors write: sources, targets, segments, settings, retention."""

"""What authors configure: sources, targets, segments, settings, retention."""

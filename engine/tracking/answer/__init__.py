"""What a sender is told about its units."""

"""The outcomes of units, and the answers that senders get."""

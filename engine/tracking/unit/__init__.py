"""One unit of work, pure: its events run through the flows, and the documents that result."""

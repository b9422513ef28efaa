"""`headrace demo` and its parts."""

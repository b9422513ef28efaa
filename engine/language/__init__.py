"""What an author's values mean: paths, expressions, templates, JSONPath."""

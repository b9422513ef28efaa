"""What an author's values mean: paths, expressions, templates, JSONPath.

`expression` compiles conditions and expressions, `value` whole values with templates and JSONPaths, `path` dotted keys.
On the way: text -> `tokens` -> Jinja's tree (`parser`) -> our own `tree`, by an allow-list (`checker`) -> closures
(`compiler`) that read a `scope` at their `leaves`. `signs` says what the signs mean, `functions` what can be called.
"""

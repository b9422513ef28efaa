"""The language of values in flow files: paths, expressions, templates, JSONPath.

`expression` compiles conditions and expressions, `value` whole values with templates and JSONPaths, `path` dotted keys.
The stages: text -> `tokens` -> Jinja's tree (`parser`) -> our own `tree`, by an allow-list (`checker`) -> closures
(`compiler`), whose leaves read a scope (`readers`). `operators` implements the operators, `functions` lists the filters
and functions.
"""

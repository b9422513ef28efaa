"""The console: server-rendered pages for operators, below `/console`."""

"""The HTTP face (Litestar). `create_app` wires a project and a store together; everything else is thin."""

"""The pages, one module for each tab; `PAGES` of `api.console.routes` lists them."""

function module(queryParams, body) { return null }

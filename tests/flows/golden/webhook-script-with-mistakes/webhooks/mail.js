function module(query, body, params, headers) {}

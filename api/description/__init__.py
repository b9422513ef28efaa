"""The description of the API: the operations of every route as data, and the OpenAPI document that is made of them."""

"""The store in Elasticsearch: several processes, no transactions; a unit commits with one document."""

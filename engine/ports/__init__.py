"""The contract with stores and the outside world, and the records that they keep."""

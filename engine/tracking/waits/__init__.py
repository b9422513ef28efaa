"""Waiting runs: they are found when their time has come, and resumed by a unit of their own."""

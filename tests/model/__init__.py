"""An executable model of identities on a store without transactions, and the oracle of other tests.

- `rules`: who is joined with whom, on parts and links; pure. `facts`: the same on facts in the order of their commits.
- `documents`, `store`, `process`: the simulated store, what it holds, and a process that uses it.
- `finishing`, `loading`, `assembly`, `attempt`, `forgetting`: the protocol.
- `plan`, `simulation`: random histories, with crashes, lost and late responses, two or three processes.
- `ledger`, `invariants`: the promises, checked at each commit and at the end.
- `variants`: wrong variants of the protocol; each breaks a promise in some history.

Left out: values (beside a log of events and its revenue), limits, time-driven segments, versioned records, a session
without a profile. `python -m tests.model` plays histories.
"""

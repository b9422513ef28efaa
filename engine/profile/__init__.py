"""Profiles: the fold of their parts (`document`, `fold`), changed by operations (`operations`, `view`, `write`),
joined by steps (`merge`), and seen by those who may (`visible`, `shown`). What is counted over time is kept in `tally`,
when a profile was seen in `visit`."""

"""File descriptors of the process: as many as the system allows, some of them kept for what is no connection."""

import resource

MOST = 65_536  # more are of no use, and some systems allow a billion
# For the files of the store and the spool, look-ups (32 connections to a host) and connections to Elasticsearch.
RESERVED = 512
MAX_CONNECTIONS = 10_000


def raise_limit() -> int:
    """Raise the soft limit of descriptors towards the hard one. Returns the limit that holds from now on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MOST if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def connections_within(limit: int) -> int:
    """Return how many connections a server accepts so that at least half of few descriptors are left for its files."""
    return min(MAX_CONNECTIONS, limit - min(RESERVED, limit // 2))

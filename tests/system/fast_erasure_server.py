"""A server that knows its requests to be quick: when it forgets, it looks for a second for what comes late."""

import api.forgetting
from cli.main import main

api.forgetting.quiet_ms = lambda project: 1000

if __name__ == "__main__":
    main()

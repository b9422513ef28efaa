"""The error codes of the language, and the error with the position in the text and the remedy."""

from engine.problem import Problem, ProblemError

SYNTAX = "H201"
UNKNOWN_ROOT = "H202"
UNKNOWN_FUNCTION = "H203"  # also wrong arguments
BAD_PATH = "H204"
NOT_ALLOWED = "H205"  # valid syntax of Jinja, but not part of the language
NO_TEMPLATES = "H206"
BAD_JSONPATH = "H207"
TOO_LARGE = "H208"
BAD_PATTERN = "H209"
UNKNOWN_FIELD = "H210"
BARE_TEXT = "H212"  # a warning: a path that nothing reads
MISMATCH = "H213"  # a comparison with the same result for all data
CONSENT_READ = "H214"  # a warning: a condition that reads the stored value of a consent

Span = tuple[int, int]  # start and end, in characters of the whole text


def refusal(code: str, message: str, at: Span, help: str = "") -> ProblemError:
    """Return the exception to raise for the text at `at`."""
    start, end = at
    return ProblemError(Problem(code=code, message=message, offset=start, length=max(1, end - start), help=help))

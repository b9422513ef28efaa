"""The error codes of the language, and the error with the position in the text and the remedy."""

from engine.problem import Problem, ProblemError, Severity

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
MISMATCH = "H213"  # a comparison or condition with the same result for all data
CONSENT_READ = "H214"  # a warning: a condition that reads the stored value of a consent
TIGHT_FILTER = "H220"  # a warning: a filter that applies to the last operand alone
FAILING_CALL = "H221"  # a call or an operator that fails for all data
TEXT_ORDER = "H222"  # a warning: an order between texts where one spells a number
UNKNOWN_OUTPUT = "H223"  # a read of an output that the node does not have
PLUS_FOR_TEXT = "H224"  # a warning: a literal text that is added to a value of any kind
NO_TEMPLATE = "H230"  # a warning: text in the form of another language's template
REFERENCE = "H231"  # a reference to a secret where none are read
INVISIBLE = "H232"  # a warning: a character that cannot be seen in a literal of an expression

Span = tuple[int, int]  # start and end, in characters of the whole text


def refusal(code: str, message: str, at: Span, help: str = "") -> ProblemError:
    """Return the exception to raise for the text at `at`."""
    return ProblemError(finding(code, message, at, help))


def written(text: str, at: Span) -> str:
    """Return the text at `at`, with the round brackets that belong to it."""
    start, end = balanced(text, at)
    return text[start:end]


def balanced(text: str, at: Span) -> Span:
    """Return `at`, extended to the left and right until its round brackets match."""
    start, end = at
    depth = lowest = 0
    for sign in text[start:end]:
        depth += (sign == "(") - (sign == ")")
        lowest = min(lowest, depth)
    for _ in range(-lowest):
        start = text.rfind("(", 0, start) if "(" in text[:start] else start
    for _ in range(depth - lowest):
        end = text.find(")", end) + 1 or end
    return start, end


def finding(code: str, message: str, at: Span, help: str = "", severity: Severity = "error") -> Problem:
    """Return the problem of the text at `at`."""
    start, end = at
    length = max(1, end - start)
    return Problem(code=code, message=message, offset=start, length=length, help=help, severity=severity)

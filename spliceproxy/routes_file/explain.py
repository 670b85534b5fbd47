"""What the models have to say against a file, in its own terms and with positions."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from spliceproxy.errors import not_known
from spliceproxy.routes_file.model import keys_at
from spliceproxy.routes_file.tree import Mistake, Value, join
from spliceproxy.settings.mirror_entry import MISTAKE

_MESSAGES = {
    "model_type": "expected a mapping",
    "tuple_type": "expected a list",
    "is_instance_of": "expected a URL, or a mapping with 'to'",
}


def explain(error: ValidationError, root: Value) -> list[Mistake]:
    """Return the mistakes; those in what routes have in common come first."""
    details = error.errors(include_url=False)
    details.sort(key=lambda one: one["loc"][:1] != ("defaults",))
    return [_explain(one, root) for one in details]


def _explain(error: ErrorDetails, root: Value) -> Mistake:
    value, missing = _find(error["loc"], root)
    if error["type"] == "missing":
        return Mistake(value.position, join(value.path, str(missing)), "is missing")
    if error["type"] == "extra_forbidden":
        word = str(error["loc"][-1])
        what = f"key {not_known(word, keys_at(error['loc'][:-1]))}"
        return Mistake(value.key_position, value.path, what)
    return Mistake(value.position, value.path, _message(error, value))


def _message(error: ErrorDetails, value: Value) -> str:
    context = error.get("ctx", {})
    if error["type"] == MISTAKE:
        return str(context["message"])
    if error["type"] == "value_error":
        return str(context["error"])
    if value.content is None:
        return "is empty: expected a value, or no such key"
    return _MESSAGES.get(error["type"], error["msg"])


def _find(location: tuple[str | int, ...], root: Value) -> tuple[Value, str | int]:
    """Return the value at a location, or the nearest one above, and the step that was not there."""
    value = root
    for step in location:
        child = value.child(step)
        if child is None and isinstance(step, int) and not isinstance(value.content, tuple):
            continue  # it stands for a list, of which it is the only item
        if child is None:
            return value, step
        value = child
    return value, ""

"""`null:`: counts and drops."""

from typing import Any

from spliceproxy.settings.mirror_kinds.kind import MirrorKind, SinkSettings


class NullKind(MirrorKind):
    """Nothing stands behind the scheme."""

    name = "null"
    form = "null:"
    direction = "both"
    granted = True
    overflows = ("detach",)
    escapes_question_marks = False

    def parse_sink(self, text: str, options: dict[str, Any]) -> SinkSettings:
        """See `MirrorKind.parse_sink`."""
        if text:
            raise ValueError("nothing stands behind null: but options, as in null:?sample=10%")
        return SinkSettings("")

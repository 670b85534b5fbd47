"""What all connections of a worker share."""

from dataclasses import dataclass

from tools.companions.origin.access_log import AccessLog
from tools.companions.origin.answer_cache import AnswerCache
from tools.companions.origin.cold_reader import ColdReader
from tools.companions.origin.counts import Row
from tools.companions.origin.direct_files import DirectFiles
from tools.companions.origin.limits import Limits
from tools.companions.origin.senders import Technique
from tools.companions.origin.site import Site


@dataclass(frozen=True, slots=True)
class Service:
    """A site, how it is sent, and who is told of it; None is for what is off."""

    site: Site
    technique: Technique
    limits: Limits
    counts: Row
    log: AccessLog | None = None
    answers: AnswerCache | None = None
    cold_reader: ColdReader | None = None
    direct_files: DirectFiles | None = None

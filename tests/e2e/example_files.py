"""Files that an example names, as a machine that it is for has them."""

import re
from pathlib import Path

from tests.tls.revoking_authority import RevokingAuthority


def with_files(example: str, directory: Path) -> str:
    """The text of an example, whose files are in `directory`."""
    made = RevokingAuthority(directory)
    for name in ("site", "revoked"):
        made.issue(name)
    made.revoke("revoked")
    live = directory / "live" / "site"
    live.mkdir(parents=True)
    for name, file in (("site.pem", "fullchain.pem"), ("site.key", "privkey.pem")):
        (directory / name).rename(live / file)
    certificate, key = f"{live}/fullchain.pem", f"{live}/privkey.pem"
    for named, file in (
        (r"/var/lib/spliceproxy(?=/)", str(directory)),
        (r"/etc/letsencrypt/live", str(live.parent)),
        (r"/etc/spliceproxy/[\w-]+-ca\.pem", made.path("ca.pem")),
        (r"/etc/spliceproxy/[\w-]+\.crl", made.path("crl.pem")),
        (r"/etc/spliceproxy/[\w-]+\.pem", certificate),
        (r"/etc/spliceproxy/[\w-]+\.key", key),
    ):
        example = re.sub(named, file, example)
    return example

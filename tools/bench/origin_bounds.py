"""What the file server has to reach against nginx on the same files."""

from tools.bench.bounds import Bound, Standard
from tools.bench.works import files

STANDARD = Standard(
    "nginx",
    (
        Bound(files.LARGEST, files.THROUGHPUT, 0.9),
        # Half of what it took when every request went through h11 and opened its file.
        Bound(files.SMALLEST, files.CPU, 4.5),
    ),
)

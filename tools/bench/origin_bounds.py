"""What the file server has to reach against nginx on the same files."""

from tools.bench.bounds import Bound, Standard
from tools.bench.works import files

STANDARD = Standard("nginx", (Bound(files.LARGEST, files.THROUGHPUT, 0.9),))

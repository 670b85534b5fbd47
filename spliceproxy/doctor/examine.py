"""All checks, in the order in which they are read."""

from collections.abc import Iterator

from spliceproxy.doctor.calls import check_calls, check_directories
from spliceproxy.doctor.directories import check_owners
from spliceproxy.doctor.file_limit import check_file_limit
from spliceproxy.doctor.finding import Finding
from spliceproxy.doctor.forks import check_forks
from spliceproxy.doctor.interfaces import check_interfaces
from spliceproxy.doctor.io_uring import check_io_uring
from spliceproxy.doctor.machine import Machine
from spliceproxy.doctor.needs import (
    count_full_size_pipes,
    find_calls,
    find_needs,
    mirror_directories,
)
from spliceproxy.doctor.network import check_network
from spliceproxy.doctor.pipes import check_pipes, describe_default
from spliceproxy.doctor.ports import check_ports
from spliceproxy.doctor.privileges import check_privileges, find_worker_identity
from spliceproxy.doctor.processes import check_processes
from spliceproxy.doctor.sampling import check_sampling
from spliceproxy.doctor.sockmaps import check_sockmaps
from spliceproxy.doctor.system import check_system
from spliceproxy.kernel.credentials import acting_as
from spliceproxy.settings.proxy import Settings


def examine(settings: Settings | None, machine: Machine | None = None) -> Iterator[Finding]:
    """Examine this machine for a proxy with these settings, or for any.

    Takes a few tens of milliseconds. For a moment it opens files, connections on loopback, and
    as many pipes as the user gets; connections of the same user's proxies may get small pipes
    in that moment.
    """
    machine = machine or Machine()
    needs = find_needs(settings)
    yield from check_system(machine)
    yield from check_privileges(machine, settings)
    yield from check_processes(machine, find_calls(settings))
    yield from check_forks(settings)
    yield from check_calls(machine, needs)
    yield from check_io_uring(machine)
    yield from check_sockmaps(machine)
    yield from check_directories(mirror_directories(settings), needs)
    with acting_as(find_worker_identity(settings)):
        found = list(check_owners(mirror_directories(settings)))
    yield from found
    yield from check_sampling(machine, settings)
    yield from describe_default(machine)
    yield from check_pipes(machine, count_full_size_pipes(settings))
    yield from check_file_limit(machine, settings)
    yield from check_ports(machine, settings)
    yield from check_network(machine, settings)
    yield from check_interfaces(machine)

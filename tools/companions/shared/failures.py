"""How a problem is told: one line on standard error, and its exit status."""

import sys
from typing import NoReturn

import click

from spliceproxy.errors import Problem


def give_up(problem: Problem) -> NoReturn:
    """Tell the problem and exit with its status."""
    click.echo(f"Error: {problem}", err=True)
    sys.exit(problem.status)

import math
import pickle

from spliceproxy.policy.backoff import Backoff
from spliceproxy.policy.health.checks import CheckRules
from spliceproxy.policy.health.ejection import EjectionRules
from spliceproxy.policy.health.health import Condition, Health, HealthRules, Verdict

CHECKS = CheckRules(interval_s=2.0, rise=2, fall=1, jitter=0.0)
EJECTION = EjectionRules(Backoff(1.0, 8.0), after=1, jitter=0.0)
RULES = HealthRules(CHECKS, EJECTION)


def test_a_new_backend_is_up_and_checked_at_once() -> None:
    health = Health.at_start(100.0)
    assert health.verdict(RULES, 100.0) == Verdict(Condition.UP, "not checked yet")
    assert health.check_due_s(RULES) == 100.0
    health.on_check(RULES, 100.5, 0.5)
    assert health.verdict(RULES, 100.5) == Verdict(Condition.UP, "check passed")
    assert health.check_due_s(RULES) == 102.5


def test_without_checks_it_is_never_due_nor_down() -> None:
    rules = HealthRules(None, EJECTION)
    health = Health.at_start(0.0)
    assert health.check_due_s(rules) == math.inf
    health.on_check(rules, 0.0, 0.5, "refused")
    assert health.verdict(rules, 0.0) == Verdict(Condition.UP, "not checked")


def test_without_ejection_connects_do_not_count() -> None:
    health = Health.at_start(0.0)
    health.on_connect(HealthRules(CHECKS), 0.0, 0.5, "refused")
    assert health.verdict(RULES, 0.0).up


def test_an_ejection_ends_by_itself() -> None:
    health = Health.at_start(0.0)
    assert health.changes_s(0.0) == math.inf
    health.on_connect(RULES, 0.0, 0.5, "timed out")
    verdict = health.verdict(RULES, 0.5)
    assert verdict == Verdict(Condition.EJECTED, "connect failed: timed out")
    assert not verdict.up
    assert health.changes_s(0.5) == 1.0
    assert health.verdict(RULES, 1.0).up
    assert health.changes_s(1.0) == math.inf


def test_down_weighs_more_than_ejected() -> None:
    health = Health.at_start(0.0)
    health.on_connect(RULES, 0.0, 0.5, "refused")
    health.on_check(RULES, 0.1, 0.5, "no answer")
    assert health.verdict(RULES, 0.2) == Verdict(Condition.DOWN, "check failed: no answer")
    health.on_check(RULES, 0.3, 0.5)
    assert health.verdict(RULES, 0.3) == Verdict(Condition.DOWN, "check passed (1 of 2)")
    health.on_check(RULES, 0.4, 0.5)  # two in a row end the ejection too
    assert health.verdict(RULES, 0.4) == Verdict(Condition.UP, "check passed")


def test_a_connect_that_succeeds_ends_the_probation() -> None:
    rules = HealthRules(None, EjectionRules(Backoff(1.0, 8.0), after=2, jitter=0.0))
    health = Health.at_start(0.0)
    for _ in range(2):
        health.on_connect(rules, 0.0, 0.5, "refused")
    health.on_connect(rules, 1.0, 0.5)
    health.on_connect(rules, 1.0, 0.5, "refused")
    assert health.verdict(rules, 1.0).up


def test_it_can_be_handed_on() -> None:
    health = Health.at_start(0.0)
    health.on_connect(RULES, 0.0, 0.5, "refused")
    copy: Health = pickle.loads(pickle.dumps(health))
    assert copy == health
    assert copy.verdict(RULES, 0.5) == health.verdict(RULES, 0.5)

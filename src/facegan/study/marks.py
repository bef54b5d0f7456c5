"""What of a claim was changed after the first result had come: told wherever its verdict is.

A claim that was written, or a margin that was chosen, by someone who knew the results says less
than one that was not. The study's folder keeps the plan as it was when its first result came.
"""

from __future__ import annotations

from dataclasses import asdict

from facegan.study.claims import Test
from facegan.study.plan import Claim, Plan


def marks(plan: Plan, first: Plan | None, claim: Claim) -> tuple[str, ...]:
    """What was changed of a claim, or of how it is judged, each in a few words.

    Args:
        plan: as it is.
        first: as it was when the first result came; None where nothing has changed.
        claim: of the plan as it is.
    """
    if first is None:
        return ()
    test = claim.parsed
    same = [each for each in first.claims if _about(each.parsed) == _about(test)]
    if not same:
        found = ["claim added"]
    else:
        before = min(same, key=lambda each: (each.test != claim.test, each.says != claim.says))
        was, now = asdict(before.parsed), asdict(test)
        found = [f"{key} {was[key]:g} → {now[key]:g}" for key in _VALUES if _differs(was, now, key)]
        if before.family != claim.family:
            found.append("family changed")
    if plan.alpha != first.alpha:
        found.append(f"alpha {first.alpha:g} → {plan.alpha:g}")
    if plan.judging != first.judging:
        found.append("statistics changed")
    if any(_seeds_changed(plan, first, name) for name in (test.method, test.other)):
        found.append("seeds changed")
    kept = {_about(each.parsed) for each in plan.claims}
    if any(
        each.family == claim.family and _about(each.parsed) not in kept for each in first.claims
    ):
        found.append("claims of its family removed")
    return tuple(found)


_VALUES = ("by", "margin", "fd")


def _about(test: Test) -> tuple[object, ...]:
    """What makes a claim another one, and not the same with another number."""
    values = asdict(test)
    return (type(test).__name__, *(value for key, value in values.items() if key not in _VALUES))


def _differs(was: dict[str, object], now: dict[str, object], key: str) -> bool:
    return key in now and was.get(key) != now[key]


def _seeds_changed(plan: Plan, first: Plan, method: str) -> bool:
    if method not in first.all_methods() or method not in plan.all_methods():
        return False
    return plan.seeds_of(method) != first.seeds_of(method)

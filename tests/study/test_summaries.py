"""Every seed is shown, failures are counted, intervals stay within what a score can be."""

from __future__ import annotations

from synthetic import study

from facegan.study.summaries import Summary, summarise
from facegan.study.verdicts import judge

FAIL = "diverged"


def test_summaries_show_every_seed() -> None:
    results = study([], {"a": [10.0, 14.0, FAIL, 12.0, None], "b": [FAIL, FAIL, None, None, 3.0]})
    a, b = summarise(results)
    assert isinstance(a, Summary)
    assert (a.dataset, a.method, a.metric) == ("faces", "a", "fd")
    assert a.values == ((0, 10.0), (1, 14.0), (2, None), (3, 12.0))
    assert (a.median, a.failed, a.waiting) == (12.0, 1, 1)
    assert 0 < a.interval[0] < 10 < 14 < a.interval[1]
    assert (b.median, b.interval, b.failed, b.waiting) == (3.0, None, 2, 2)


def test_a_failed_trial_has_no_score_that_counts() -> None:
    results = study(["better(a, b)"], {"a": [10.0, 14.0], "b": [20.0, 30.0]})
    ended = [
        trial.model_copy(update={"status": "failed"}) if trial.key.seed == 1 else trial
        for trial in results.results
    ]
    results = results.model_copy(update={"results": tuple(ended)})
    assert [summary.values for summary in summarise(results)] == [
        ((0, 10.0), (1, None)),
        ((0, 20.0), (1, None)),
    ]
    (judged,) = judge(results)
    assert (judged.pairs[1].method, judged.pairs[1].other) == (None, None)


def test_an_interval_stays_within_what_a_score_can_be() -> None:
    (recall,) = summarise(study([], {"a": [0.1, 0.9, 0.5]}, "recall"))
    assert recall.interval == (0.0, 1.0)
    (density,) = summarise(study([], {"a": [0.1, 0.9, 0.5]}, "density"))
    assert density.interval[0] == 0.0
    assert density.interval[1] > 1.0
    (kid,) = summarise(study([], {"a": [-0.01, 0.02, 0.01]}, "kid"))
    assert kid.interval[0] < -0.01

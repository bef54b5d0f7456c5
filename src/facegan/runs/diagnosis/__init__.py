"""What the journal says of a run's health, in plain sentences, each kind of trouble once.

    for finding in Diagnosis(total).add(line):    # while training, line by line
        print(finding.said, finding.helps)
    diagnose(lines, total)                        # the same findings, from a file

Nothing but lines of the journal is read, so a page made from the files finds what the run
itself found, and a run that goes on does not say again what was said before.

Losses differ in what a logit means, so none is judged by its size: probabilities, distances
in standard deviations, and a run's own past are. A false alarm is worse than silence: every
limit lies well beyond all that healthy runs showed, with each of the losses, and is reached
by runs that were broken on purpose.
"""

from facegan.runs.diagnosis.findings import Diagnosis, Finding, diagnose
from facegan.runs.diagnosis.standing import Standing, standing

__all__ = ["Diagnosis", "Finding", "Standing", "diagnose", "standing"]

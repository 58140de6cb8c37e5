"""One scenario, replayed against two servers that should answer alike: `python parity OURS THEIRS`.

THEIRS is the real MLflow. Status, error code, message and JSON are compared, after what must differ (ids, times, made-up
names) was replaced. A difference that is meant has its reason beside the call, and is an error once it is gone. The last
line says how many calls agreed; everything that did not is printed before it. Both servers must be empty.
"""

import sys

import artifacts
import experiments
import logged_models
import logging_calls
import models
import runs
import search
import server
import versions
from pair import Pair

CHAPTERS = [server, experiments, runs, logging_calls, search, logged_models, models, versions, artifacts]


def main():
    ours, theirs, *only = sys.argv[1:]
    pair = Pair(ours, theirs)
    for chapter in CHAPTERS:
        if not only or chapter.__name__ in only:
            pair.chapter = chapter.__name__
            chapter.play(pair)
    sys.exit(pair.report(whole=not only))


main()

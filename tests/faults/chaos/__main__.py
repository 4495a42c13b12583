"""`./run chaos`: break a cluster of real processes at random, and compare what is left with the model."""

import argparse
import asyncio
import secrets
import sys

from tests.faults.chaos.guards import MUTATIONS
from tests.faults.chaos.mutate import mutate, table
from tests.faults.chaos.run import ACCOUNTS, chaos


def main() -> int:
    """Run; print the report. Return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="./run chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long faults come (default 10)")
    parser.add_argument("--seed", default="", help="repeat the schedule of an earlier run")
    parser.add_argument(
        "--items", type=int, default=0, help="items of all accounts (default 100,000 a minute)"
    )
    parser.add_argument("--accounts", type=int, default=ACCOUNTS, help=f"default {ACCOUNTS}")
    parser.add_argument(
        "--mutate",
        nargs="?",
        const="",
        metavar="WORD",
        help="remove the guards, one by one: those with the word",
    )
    options = parser.parse_args()
    if options.mutate is not None:
        return _mutate(options.mutate)
    seed = options.seed or secrets.token_hex(4)
    print(f"seed {seed}", flush=True)
    report = asyncio.run(chaos(options.minutes, seed, _say, items=options.items, accounts=options.accounts))
    print("", *report.lines(), sep="\n")
    return 0 if report.good else 1


def _mutate(word: str) -> int:
    verdicts = mutate([mutation for mutation in MUTATIONS if word in mutation.guard], _say)
    print("", *table(verdicts), sep="\n")
    return 0 if all(verdict.red for verdict in verdicts) else 1


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""The words that every rendering shares: verdicts, statuses, methods, and what they mean in plain language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

from evalgate.records import Decision, Finding, FindingStatus, Record, Status, Verdict
from evalgate.report.numbers import exact_text

STATUSES: tuple[Status, ...] = get_args(Status)
"""What can become of an item, "ok" first."""


class Mark(Record, frozen=True, kw_only=True):
    """How a status or a verdict is shown: never by colour alone, always symbol and word."""

    symbol: str
    ascii: str
    meaning: str


STATUS: dict[FindingStatus, Mark] = {
    "pass": Mark(symbol="✓", ascii="+", meaning="The whole interval meets the threshold."),
    "fail": Mark(symbol="✗", ascii="x", meaning="The whole interval misses the threshold."),
    "inconclusive": Mark(
        symbol="?", ascii="?", meaning="The interval lies on both sides of the threshold."
    ),
    "insufficient": Mark(
        symbol="!", ascii="!", meaning="The evidence is not good enough for any verdict."
    ),
}

VERDICT: dict[Verdict, Mark] = {
    "open": Mark(symbol="✓", ascii="+", meaning="Every threshold is met on these gold sets."),
    "closed": Mark(symbol="✗", ascii="x", meaning="This model must not be released."),
    "undecided": Mark(symbol="?", ascii="?", meaning="This model may not be released yet."),
}


class Method(Record, frozen=True, kw_only=True):
    """A short name for narrow tables, and one sentence for people who do not know the method."""

    short: str
    note: str


METHODS: dict[str, Method] = {
    "Clopper-Pearson": Method(
        short="Clopper-Pearson",
        note="exact interval for a share of independent units",
    ),
    "worst-atom mean over units": Method(
        short="worst-atom mean",
        note="interval for a mean over units that assumes the worst of what was not sampled",
    ),
    "worst-atom mean of paired differences": Method(
        short="worst-atom pairs",
        note="interval for the mean difference of candidate and baseline on the same units, assuming the worst of what was not sampled",
    ),
    "worst-atom ratio": Method(
        short="worst-atom ratio",
        note="interval for a ratio of sums over units that assumes one unseen unit of the largest declared size to be all wrong",
    ),
    "worst-atom macro-F1": Method(
        short="worst-atom F1",
        note="interval for the mean F1 of the classes that assumes the worst of what was not sampled",
    ),
    "Tango score": Method(
        short="Tango score",
        note="interval for the difference of two shares in matched pairs (Tango 1998)",
    ),
    "worst-atom PPI": Method(
        short="worst-atom PPI",
        note="interval for a judged share or mean that clinicians' labels of a random part correct (prediction-powered, assuming the worst of what was not sampled)",
    ),
    "worst-atom mean of labels": Method(
        short="labels alone",
        note="interval from clinicians' labels of a random part; no judge that is known by its bytes was shown to agree with them, so none has a part in it",
    ),
    "worst-atom mean of labels, judge set aside": Method(
        short="labels, judge aside",
        note="interval from clinicians' labels of a random part; the judge spoke otherwise of that part than of the rest, as if it knew which outputs people read, so it has no part in it",
    ),
    "census": Method(
        short="census",
        note="every item was examined, so there is no interval; every one of them must be right",
    ),
    "first release, no baseline": Method(
        short="no baseline",
        note="nothing was released before, so there is nothing to compare with",
    ),
}

NO_BASELINE = "first release, no baseline"
"""The method of a comparison that had nothing to compare with; such a row passes, and says so wherever it is shown."""
_DIFFERENCES = (
    "Tango score",
    "worst-atom mean of paired differences",
    NO_BASELINE,
)


def plain(text: object) -> str:
    """One line of printable text: white space becomes one space, what cannot be printed the replacement character.

    Control, direction and surrogate characters could rewrite a terminal, mislead a reader or break the encoding.
    """
    line = " ".join(str(text).split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)


def short_digest(digest: str) -> str:
    """The first 12 of a digest's 64 digits, with its algorithm; "" stays ""."""
    kind, colon, digits = plain(digest).rpartition(":")
    return kind + colon + digits[:12]


def served_by(server: str, version: str) -> str:
    """Server and version in a few words; the versions of a server made of packages name it already."""
    return plain(version if version.startswith(server) else f"{server} {version}").strip()


def short_method(method: str) -> str:
    """The method's short name; an unknown one is cut to 20 characters."""
    if method in METHODS:
        return METHODS[method].short
    name = plain(method)
    return name if len(name) <= 20 else name[:19] + "…"


def threshold_text(threshold: dict[str, float | bool]) -> str:
    """`>= 0.85`, `<= 0.05` or `all`, with every decimal of gate.toml, at least two."""
    if "min" in threshold:
        return f">= {exact_text(threshold['min'], places=2)}"
    if "max" in threshold:
        return f"<= {exact_text(threshold['max'], places=2)}"
    return "all"


def is_difference(finding: Finding) -> bool:
    """Whether the numbers are candidate minus baseline, in [-1, 1], rather than a level in [0, 1]."""
    numbers = [finding.estimate, finding.low, finding.high, *finding.threshold.values()]
    return (
        finding.method in _DIFFERENCES
        or finding.test.split("[")[0].endswith("_vs_baseline")
        or any(x is not None and x < 0 for x in numbers)
    )


def by_suite(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings grouped by suite, both in the order of gate.toml."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.suite, []).append(finding)
    return groups


def tally(findings: Iterable[Finding]) -> list[tuple[FindingStatus, int]]:
    """How many findings have each status, in the order pass, fail, inconclusive, insufficient; zeros left out."""
    found = [f.status for f in findings]
    return [(status, found.count(status)) for status in STATUS if status in found]


def answered(answers: Mapping[Status, int]) -> str:
    """How items were answered: `118 ok, 2 refused`; "" for no counts. Statuses that never occurred are left out."""
    return ", ".join(f"{answers[s]} {s}" for s in STATUSES if answers.get(s))


def other_reasons(decision: Decision) -> list[str]:
    """The reasons that no row of the findings tells: bypasses, broken integrity, outages, what only people can supply.

    A finding that is no pass tells one reason, the last that begins with its suite and test; reasons before it are about
    how its test came by it.
    """
    told = {f"{f.suite} {f.test}: " for f in decision.findings if f.status != "pass"}
    others = []
    for reason in reversed(decision.reasons):
        head = max((t for t in told if reason.startswith(t)), key=len, default=None)
        if head is None:
            others.append(reason)
        else:
            told.remove(head)
    return others[::-1]


def headline(decision: Decision) -> str:
    """Why the decision is what it is, in one plain sentence; the reasons say the rest."""
    total = len(decision.findings)
    failed = sum(f.status == "fail" for f in decision.findings)
    unsure = sum(f.status in ("inconclusive", "insufficient") for f in decision.findings)
    if decision.decision == "open":
        why = _met(decision.findings)
    elif decision.integrity:
        why = "The evidence is not what was recorded."
    elif decision.decision == "closed" and failed:
        why = f"{_some(failed, total)} proven to be missed."
    elif decision.decision == "closed":
        why = "Something was bypassed, left out or lost: not every threshold was tested."
    elif decision.retry:
        why = "A server or a disk failed before the evidence was complete."
    elif unsure:
        why = f"{_some(unsure, total)} not decided: the evidence so far cannot tell."
    else:
        why = "Evidence is missing that only people can supply."
    return why


def next_step(decision: Decision) -> str:
    """What the reader of the decision should do, in one or two sentences."""
    if decision.decision == "open":
        if decision.certificate:
            return "It may go on to promotion, which verifies the certificate again."
        return "This is no permission to release: the decision is not signed, and promotion needs a certificate."
    if decision.integrity:
        return "Keep all files as they are and find out what changed them before anything is run again."
    if decision.decision == "closed":
        return "Change the model, or mend what was bypassed, and check again. The thresholds stay as they are."
    if decision.retry:
        return "Mend the server or the disk and run the same command again: it goes on where it stopped."
    return "Collect the evidence named below and check again."


def _met(findings: Sequence[Finding]) -> str:
    """What an open decision rests on: intervals, censuses, and comparisons that had nothing to compare with."""
    census = sum(f.method == "census" for f in findings)
    alone = sum(f.method == NO_BASELINE for f in findings)
    said = f"{_all(len(findings) - census - alone)} met with statistical confidence."
    if census:
        said += f" {census} more by looking at every item."
    if alone:
        said += f" {alone} compared with nothing: there is no baseline yet."
    return said


def _all(total: int) -> str:
    return "The one threshold is" if total == 1 else f"All {total} thresholds are"


def _some(count: int, total: int) -> str:
    verb = "is" if count == 1 else "are"
    return f"{count} of {total} threshold{'s' if total != 1 else ''} {verb}"

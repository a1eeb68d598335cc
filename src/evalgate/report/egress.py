"""The network around a check, in one sentence that promises no more than was there."""

from __future__ import annotations

from collections import Counter

from evalgate.records import Egress


def egress_text(egress: Egress) -> str:
    """Which guarantee was in force, what the probe found, what is not claimed. Plain text, one line."""
    counts = Counter(how.partition(" ")[0].rstrip(":") for how in egress.probe.values())
    refused, blocked, reached = counts["refused"], counts["blocked"], counts["REACHED"]
    open_ = [what for what, how in egress.probe.items() if how.startswith("not claimed")]
    parts = [f"not claimed: {', '.join(open_)}"] if open_ else []
    if egress.guarantee == "netns":
        head = "netns: nothing but loopback in the namespace of the gate and its servers"
    else:
        allowed = ", ".join(("loopback", *egress.allowed))
        head = f"guard, best effort: Python's sockets are held to {allowed}; native code and other programs are not"
        parts = [f"no namespace, because {egress.why}", *parts] if egress.why else parts
    tried = f"{refused + blocked} of {refused + blocked + reached} attempts of the probe failed"
    if not egress.control:
        tried += ", which proves nothing: it did not reach loopback either"
    return "; ".join((head, tried, *parts))

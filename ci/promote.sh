#!/bin/sh
# Hands an open decision over to the site's own promotion command. It is the last look before that, not the promotion.
#
#     PROMOTE_COMMAND='...' sh ci/promote.sh MODEL EXIT SHA256 [DIRECTORY]
#
# EXIT and SHA256 are what the gate's job reported (gate.env) on a way of its own; DIRECTORY (default gate-results) holds its
# artifacts. Refuses (exit 1) unless the exit was 0, decision.evidence.json has exactly that digest and names that of
# decision.json, which says open, of MODEL, with every finding passing; and unless the evidence says that the bytes of that
# model were examined: an endpoint's digest is of its address, and nobody knows what answers there tomorrow.
#
# PROMOTE_COMMAND then runs in sh with EVALGATE_MODEL, EVALGATE_MODEL_DIGEST and EVALGATE_DECISION (the file) set, and its exit
# code is this script's. It must deploy the bytes of that digest and no others. Unset: exit 2, nothing happens.
#
# This version of evalgate signs nothing. What protects the decision on its way is the CI system, and nobody else.
set -u

refuse() {
    printf 'ci/promote.sh: refused: %s Nothing was promoted.\n' "$1" >&2
    exit "${2:-1}"
}

model=${1:-}
exit_code=${2:-}
expected=${3:-}
out=${4:-gate-results}
decision=$out/decision.json
evidence=$out/decision.evidence.json
[ -n "$model" ] || refuse 'no model was named.' 2
[ "$exit_code" = 0 ] || refuse "the gate ended with ${exit_code:-nothing}, not with 0."
[ -f "$decision" ] || refuse "there is no $decision."
[ -f "$evidence" ] || refuse "there is no $evidence."
found=$(sha256sum -- "$evidence") || refuse 'its digest cannot be computed.'
[ -n "$expected" ] && [ "${found%% *}" = "$expected" ] || refuse 'decision.evidence.json is not the file that the gate wrote.'

digest=$(
    python3 - "$decision" "$evidence" "$model" <<'CHECK'
import hashlib, json, re, sys

with open(sys.argv[1], "rb") as f:
    text = f.read()
with open(sys.argv[2], encoding="utf-8") as f:
    stored = json.load(f)
if stored.get("decision") != "sha256:" + hashlib.sha256(text).hexdigest():
    sys.exit("decision.json is not the one that the evidence is about")
d = json.loads(text)
candidate = stored["evidence"].get("candidate") or {}
findings = d.get("findings") or []
ok = (
    d.get("schema") == "evalgate.decision/1"
    and d.get("decision") == "open"
    and d.get("exit") == 0
    and not d.get("reasons")
    and not d.get("integrity")
    and findings
    and all(x.get("status") == "pass" for x in findings)
    and d.get("model", {}).get("name") == sys.argv[3]
    and re.fullmatch(r"sha256:[0-9a-f]{64}", d.get("model", {}).get("digest", ""))
)
if not ok:
    sys.exit("not open")
if candidate.get("verified") is not True or candidate.get("digest") != d["model"]["digest"]:
    sys.exit("nobody examined the bytes of the model that answered (an endpoint?)")
print(d["model"]["digest"])
CHECK
) || refuse "the decision is not an open one of $model, or of a model whose bytes were examined."

[ -n "${PROMOTE_COMMAND:-}" ] || refuse 'PROMOTE_COMMAND is not set, and evalgate itself does not promote yet.' 2
EVALGATE_MODEL=$model EVALGATE_MODEL_DIGEST=$digest EVALGATE_DECISION=$decision
export EVALGATE_MODEL EVALGATE_MODEL_DIGEST EVALGATE_DECISION
printf 'ci/promote.sh: open decision of %s %s; the decision is not signed; handing over\n' "$model" "$digest"
exec sh -c "$PROMOTE_COMMAND"

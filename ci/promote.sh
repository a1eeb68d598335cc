#!/bin/sh
# Hands an open decision over to the site's own promotion command. It is the last look before that, not the promotion.
#
#     PROMOTE_COMMAND='...' sh ci/promote.sh MODEL EXIT SHA256 [DIRECTORY]
#
# EXIT and SHA256 are what the gate's job reported (gate.env) on a way of its own; DIRECTORY (default gate-results) holds its
# artifacts. Refuses (exit 1) unless the exit was 0, decision.json has exactly that digest, and says open, of MODEL, with every
# finding passing. PROMOTE_COMMAND then runs in sh with EVALGATE_MODEL, EVALGATE_MODEL_DIGEST and EVALGATE_DECISION (the file)
# set, and its exit code is this script's. It must deploy the bytes of that digest and no others. Unset: exit 2, nothing happens.
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
[ -n "$model" ] || refuse 'no model was named.' 2
[ "$exit_code" = 0 ] || refuse "the gate ended with ${exit_code:-nothing}, not with 0."
[ -f "$decision" ] || refuse "there is no $decision."
found=$(sha256sum -- "$decision") || refuse 'its digest cannot be computed.'
[ -n "$expected" ] && [ "${found%% *}" = "$expected" ] || refuse 'decision.json is not the file that the gate wrote.'

digest=$(
    python3 - "$decision" "$model" <<'CHECK'
import json, re, sys

with open(sys.argv[1], encoding="utf-8") as f:
    d = json.load(f)
findings = d.get("findings") or []
ok = (
    d.get("schema") == "evalgate.decision/1"
    and d.get("decision") == "open"
    and d.get("exit") == 0
    and not d.get("reasons")
    and not d.get("integrity")
    and findings
    and all(x.get("status") == "pass" for x in findings)
    and d.get("model", {}).get("name") == sys.argv[2]
    and re.fullmatch(r"sha256:[0-9a-f]{64}", d.get("model", {}).get("digest", ""))
)
sys.exit("not open" if not ok else print(d["model"]["digest"]))
CHECK
) || refuse "the decision is not an open one of $model."

[ -n "${PROMOTE_COMMAND:-}" ] || refuse 'PROMOTE_COMMAND is not set, and evalgate itself does not promote yet.' 2
EVALGATE_MODEL=$model EVALGATE_MODEL_DIGEST=$digest EVALGATE_DECISION=$decision
export EVALGATE_MODEL EVALGATE_MODEL_DIGEST EVALGATE_DECISION
printf 'ci/promote.sh: open decision of %s %s; the decision is not signed; handing over\n' "$model" "$digest"
exec sh -c "$PROMOTE_COMMAND"

#!/bin/sh
# One model through the gate, in any CI: asks, decides, signs, tries again after an outage, lays out what CI shows and keeps.
#
#     sh ci/gate.sh MODEL [DIRECTORY]
#
# Ends with the exit code of `evalgate gate check`. Only 4 (a server or a disk failed) is tried again: the run goes on
# where it stopped. Nothing else is: a verdict that is asked for until it suits is none.
#
# The ledger is checked from end to end first: where it is broken, nothing is asked and the exit code is 5.
#
# DIRECTORY (default gate-results) is emptied, unless anything else lies in it, and then holds ids and numbers, never a text
# that a model wrote:
#   certificate.json                        the decision with the digests of the model's files, signed; none for an endpoint
#   decision.json, decision.evidence.json   the decision, and what it rests on
#   decision.html, decision.xml             the page; JUnit, one case per threshold
#   ledger.anchor.json                      the ledger's head as it is now, signed: later it shows whether entries were cut off
#   summary.md                              for the job summary; written whatever happens
#   gate.env                                EVALGATE_EXIT, EVALGATE_TRIED, EVALGATE_CERTIFICATE_SHA256 for later jobs
#
# EVALGATE_TRIES   starts at most, the first included (default 4)
# EVALGATE_PAUSE   seconds before the second start, doubled before each further one (default 30)
# EVALGATE_STATE, EVALGATE_KEY, EVALGATE_KEY_FILE, EVALGATE_ANCHOR: see common.sh
set -u

# shellcheck source=ci/common.sh
. "${0%/*}/common.sh"

kept() { # whether DIRECTORY holds a decision, whole, with the exit code that this process ended with, and its certificate
    for suffix in json evidence.json html xml md; do
        [ -s "$out/decision.$suffix" ] || return 1
    done
    certificate=$(python3 -c '
import json, sys

with open(sys.argv[1], encoding="utf-8") as f:
    decision = json.load(f)
print(decision["certificate"] or "")
sys.exit(decision["exit"] != int(sys.argv[2]))' "$out/decision.json" "$status") || return 1
    [ -z "$certificate" ] || cp -- "$certificate" "$out/certificate.json"
}

whole_number() {
    case $2 in
        '' | *[!0-9]* | 0[0-9]*) die "found $1=$2, expected a whole number." ;;
        *) ;;
    esac
}

only_results() { # what an earlier start left may go; any other file means that DIRECTORY is the wrong one
    case $1 in
        reports | reports/* | */reports | */reports/*) return 1 ;;
        *) ;;
    esac
    [ -d "$1" ] || { [ ! -e "$1" ] && [ ! -L "$1" ]; } || return 1
    for path in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        case ${path##*/} in
            decision.json | decision.evidence.json | decision.html | decision.xml | decision.md) ;;
            certificate.json | ledger.anchor.json | summary.md | gate.env) ;;
            .decision.*.[0-9]*) ;; # of a write that was killed
            *) [ ! -e "$path" ] && [ ! -L "$path" ] || return 1 ;;
        esac
    done
}

model=${1:-}
out=${2:-gate-results}
tries=${EVALGATE_TRIES:-4}
pause=${EVALGATE_PAUSE:-30}
[ -n "$model" ] || die 'found no model, expected its name in evalgate.toml: sh ci/gate.sh MODEL'
[ -f gate.toml ] || die 'found no gate.toml here, expected to be started in the project.'
whole_number EVALGATE_TRIES "$tries"
whole_number EVALGATE_PAUSE "$pause"
only_results "$out" || die "found DIRECTORY $out, expected one that may be emptied: new, or with results of this script alone."
rm -rf -- "$out"
mkdir -p -- "$out" || exit 4
use_state
take_key

check_ledger
status=$?
tried=0
while [ "$status" -eq "$((tried > 0 ? 4 : 0))" ] && [ "$tried" -lt "$tries" ]; do
    if [ "$tried" -gt 0 ]; then
        printf 'ci/gate.sh: infrastructure failed (exit 4), start %s of %s in %s s\n' "$((tried + 1))" "$tries" "$pause" >&2
        sleep "$pause"
        pause=$((pause * 2))
    fi
    rm -f -- "$out"/decision.*
    # The process that decides writes its own decision there: reports/decisions may be shared with other jobs.
    evalgate gate check --copy="$out" -- "$model" >/dev/null
    status=$?
    tried=$((tried + 1))
done

digest=
if [ "$tried" -gt 0 ] && kept; then
    if [ -n "$certificate" ]; then
        digest=$(sha256sum -- "$out/certificate.json") || exit 4
        digest=${digest%% *}
    fi
    mv -- "$out/decision.md" "$out/summary.md"
else # nothing green may stay that is not this job's decision
    rm -f -- "$out"/decision.* "$out/certificate.json"
    [ "$status" -ne 0 ] || status=70 # a yes that left no trace is none
    printf '## \342\234\227 No decision (exit %s)\n\nThe gate ended without one, so nothing may be promoted. The log of the job says why.\n' \
        "$status" >"$out/summary.md"
fi

if [ -f reports/ledger.head.json ]; then
    evalgate ledger anchor --out "$out/ledger.anchor.json" >&2 || [ "$status" -ne 0 ] || status=5
fi

printf 'EVALGATE_EXIT=%s\nEVALGATE_TRIED=%s\nEVALGATE_CERTIFICATE_SHA256=%s\n' "$status" "$tried" "$digest" >"$out/gate.env"
cat -- "$out/summary.md"
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then cat -- "$out/summary.md" >>"$GITHUB_STEP_SUMMARY"; fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then cat -- "$out/gate.env" >>"$GITHUB_OUTPUT"; fi
exit "$status"

#!/bin/sh
# One model through the gate, in any CI: asks, decides, tries again after an outage, lays out what CI shows and keeps.
#
#     sh ci/gate.sh MODEL [DIRECTORY]
#
# Ends with the exit code of `evalgate gate check`. Only 4 (a server or a disk failed) is tried again: the run goes on
# where it stopped. Nothing else is: a verdict that is asked for until it suits is none.
#
# DIRECTORY (default gate-results) is emptied and then holds ids and numbers, never a text that a model wrote:
#   decision.json, decision.evidence.json   the decision, and what it rests on
#   decision.html, decision.xml             the page; JUnit, one case per threshold
#   summary.md                              for the job summary; written whatever happens
#   gate.env                                EVALGATE_EXIT, EVALGATE_TRIED, EVALGATE_DECISION_SHA256 for later jobs
#
# EVALGATE_TRIES   starts at most, the first included (default 4)
# EVALGATE_PAUSE   seconds before the second start, doubled before each further one (default 30)
# EVALGATE_STATE   a directory outside of the checkout that keeps runs and decisions from job to job; unset: none
set -u

die() {
    printf 'ci/gate.sh: %s\n' "$1" >&2
    exit 2
}

newest() { # names begin with the time, so the last one is the newest
    find reports/decisions/ -name '*.json' ! -name '*.evidence.json' 2>/dev/null | LC_ALL=C sort | tail -n 1
}

whole_number() {
    case $2 in
        '' | *[!0-9]* | 0[0-9]*) die "found $1=$2, expected a whole number." ;;
        *) ;;
    esac
}

model=${1:-}
out=${2:-gate-results}
tries=${EVALGATE_TRIES:-4}
pause=${EVALGATE_PAUSE:-30}
[ -n "$model" ] || die 'found no model, expected its name in evalgate.toml: sh ci/gate.sh MODEL'
[ -f gate.toml ] || die 'found no gate.toml here, expected to be started in the project.'
whole_number EVALGATE_TRIES "$tries"
whole_number EVALGATE_PAUSE "$pause"

rm -rf -- "$out"
mkdir -p -- "$out" reports || exit 4

if [ -n "${EVALGATE_STATE:-}" ]; then
    for kept in runs decisions; do
        (umask 077 && mkdir -p -- "$EVALGATE_STATE/$kept") || exit 4
        [ -e "reports/$kept" ] || ln -s -- "$EVALGATE_STATE/$kept" "reports/$kept" || exit 4
    done
fi

tried=0
while :; do
    before=$(newest)
    evalgate gate check --json -- "$model" >"$out/said.json"
    status=$?
    tried=$((tried + 1))
    [ "$status" -eq 4 ] && [ "$tried" -lt "$tries" ] || break
    printf 'ci/gate.sh: infrastructure failed (exit 4), start %s of %s in %s s\n' "$((tried + 1))" "$tries" "$pause" >&2
    sleep "$pause"
    pause=$((pause * 2))
done

lost=0
digest=
decided=$(newest)
if [ -n "$decided" ] && [ "$decided" != "$before" ]; then
    stem=${decided%.json}
    for suffix in json evidence.json html xml md; do
        cp -- "$stem.$suffix" "$out/decision.$suffix" || lost=1
    done
    [ "$lost" -eq 0 ] || [ "$status" -ne 0 ] || status=4
    mv -- "$out/decision.md" "$out/summary.md"
    # Two gates at work in one checkout: which decision is whose?
    if ! python3 -c 'import json, sys; a, b = (json.load(open(p, encoding="utf-8")) for p in sys.argv[1:]); sys.exit(a != b)' \
        "$out/said.json" "$out/decision.json"; then
        printf 'ci/gate.sh: the decision on disk is not the one that was printed\n' >&2
        status=5
    fi
    digest=$(sha256sum -- "$out/decision.json") && digest=${digest%% *}
else
    printf '## No decision (exit %s)\n\nThe gate ended without one, so nothing may be promoted. The log of the job says why.\n' \
        "$status" >"$out/summary.md"
    [ "$status" -ne 0 ] || status=70 # a yes that left no trace is none
fi
rm -f -- "$out/said.json"

printf 'EVALGATE_EXIT=%s\nEVALGATE_TRIED=%s\nEVALGATE_DECISION_SHA256=%s\n' "$status" "$tried" "$digest" >"$out/gate.env"
cat -- "$out/summary.md"
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then cat -- "$out/summary.md" >>"$GITHUB_STEP_SUMMARY"; fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then cat -- "$out/gate.env" >>"$GITHUB_OUTPUT"; fi
exit "$status"

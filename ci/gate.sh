#!/bin/sh
# One model through the gate, in any CI: asks, decides, tries again after an outage, lays out what CI shows and keeps.
#
#     sh ci/gate.sh MODEL [DIRECTORY]
#
# Ends with the exit code of `evalgate gate check`. Only 4 (a server or a disk failed) is tried again: the run goes on
# where it stopped. Nothing else is: a verdict that is asked for until it suits is none.
#
# DIRECTORY (default gate-results) is emptied, unless anything else lies in it, and then holds ids and numbers, never a text
# that a model wrote:
#   decision.json, decision.evidence.json   the decision, and what it rests on
#   decision.html, decision.xml             the page; JUnit, one case per threshold
#   summary.md                              for the job summary; written whatever happens
#   gate.env                                EVALGATE_EXIT, EVALGATE_TRIED, EVALGATE_EVIDENCE_SHA256 for later jobs
# EVALGATE_EVIDENCE_SHA256 is the digest of decision.evidence.json, which in its turn holds that of decision.json.
#
# EVALGATE_TRIES   starts at most, the first included (default 4)
# EVALGATE_PAUSE   seconds before the second start, doubled before each further one (default 30)
# EVALGATE_STATE   a directory outside of the checkout (its path begins with /) that keeps runs and decisions from job to job; unset: none
set -u

die() {
    printf 'ci/gate.sh: %s\n' "$1" >&2
    exit 2
}

kept() { # whether DIRECTORY holds a decision, whole, with the exit code that this process ended with
    for suffix in json evidence.json html xml md; do
        [ -s "$out/decision.$suffix" ] || return 1
    done
    python3 -c 'import json, sys; sys.exit(json.load(open(sys.argv[1], encoding="utf-8"))["exit"] != int(sys.argv[2]))' \
        "$out/decision.json" "$status"
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
            summary.md | gate.env | .decision.*.[0-9]*) ;; # the last: of a write that was killed
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
case ${EVALGATE_STATE:-/} in
    /*) ;;
    *) die "found EVALGATE_STATE=$EVALGATE_STATE, expected a path that begins with /: links in reports/ lead to it." ;;
esac

only_results "$out" || die "found DIRECTORY $out, expected one that may be emptied: new, or with results of this script alone."
rm -rf -- "$out"
mkdir -p -- "$out" reports || exit 4

if [ -n "${EVALGATE_STATE:-}" ]; then
    for what in runs decisions; do
        (umask 077 && mkdir -p -- "$EVALGATE_STATE/$what") || exit 4
        [ -e "reports/$what" ] || ln -s -- "$EVALGATE_STATE/$what" "reports/$what" || exit 4
    done
fi

tried=0
while :; do
    rm -f -- "$out"/decision.*
    # The process that decides writes its own decision there: reports/decisions may be shared with other jobs.
    evalgate gate check --copy="$out" -- "$model" >/dev/null
    status=$?
    tried=$((tried + 1))
    [ "$status" -eq 4 ] && [ "$tried" -lt "$tries" ] || break
    printf 'ci/gate.sh: infrastructure failed (exit 4), start %s of %s in %s s\n' "$((tried + 1))" "$tries" "$pause" >&2
    sleep "$pause"
    pause=$((pause * 2))
done

if kept && digest=$(sha256sum -- "$out/decision.evidence.json"); then
    digest=${digest%% *}
    mv -- "$out/decision.md" "$out/summary.md"
else # nothing green may stay that is not this job's decision
    digest=
    rm -f -- "$out"/decision.*
    [ "$status" -ne 0 ] || status=70 # a yes that left no trace is none
    printf '## \342\234\227 No decision (exit %s)\n\nThe gate ended without one, so nothing may be promoted. The log of the job says why.\n' \
        "$status" >"$out/summary.md"
fi

printf 'EVALGATE_EXIT=%s\nEVALGATE_TRIED=%s\nEVALGATE_EVIDENCE_SHA256=%s\n' "$status" "$tried" "$digest" >"$out/gate.env"
cat -- "$out/summary.md"
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then cat -- "$out/summary.md" >>"$GITHUB_STEP_SUMMARY"; fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then cat -- "$out/gate.env" >>"$GITHUB_OUTPUT"; fi
exit "$status"

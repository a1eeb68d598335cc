# Read by gate.sh, sign-off.sh and promote.sh, which need the same three things: a ledger that outlives the checkout, a key,
# and the certificate that this pipeline's gate has made.
#
# EVALGATE_STATE      a directory outside of the checkout (its path begins with /) that takes the place of reports/: ledger,
#                     certificates, aliases, runs and decisions live there from job to job. Unset: reports/ of this checkout
# EVALGATE_KEY        the private key, as text or as the name of a file: what a CI system's secret comes as
# EVALGATE_KEY_FILE   the private key's file, mode 600, where it lies on the machine; EVALGATE_KEY goes before it
# EVALGATE_ANCHOR     an anchor that an earlier job left elsewhere: the ledger must reach at least as far

die() { # DESCRIPTION [EXIT]
    printf '%s: %s\n' "$0" "$1" >&2
    exit "${2:-2}"
}

use_state() { # reports/ becomes a link, so that all jobs of all checkouts append to one ledger, under its own lock
    [ -n "${EVALGATE_STATE:-}" ] || return 0
    case $EVALGATE_STATE in
        /*) ;;
        *) die "found EVALGATE_STATE=$EVALGATE_STATE, expected a path that begins with /: reports is a link to it." ;;
    esac
    (umask 077 && mkdir -p -- "$EVALGATE_STATE") || exit 4
    if [ -L reports ]; then
        rm -f -- reports
    elif [ -d reports ]; then
        rm -f -- reports/README.md
        rmdir -- reports 2>/dev/null || die 'found reports/ with files in it, expected none beside EVALGATE_STATE, which takes its place.'
    fi
    ln -s -- "$EVALGATE_STATE" reports || exit 4
}

take_key() { # the key becomes a file outside of the checkout that this account alone may read; it goes when the script ends
    [ -f keys.toml ] || die 'found no keys.toml, expected the public keys that count. Make the first on a machine of its own: evalgate keys init gate --out FILE'
    if [ -n "${EVALGATE_KEY:-}" ]; then
        key_folder=$(umask 077 && mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/evalgate.XXXXXX") || exit 4
        trap drop_key EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        (
            umask 077
            if [ -f "$EVALGATE_KEY" ]; then cat -- "$EVALGATE_KEY"; else printf '%s\n' "$EVALGATE_KEY"; fi >"$key_folder/key"
        ) || exit 4
        EVALGATE_KEY_FILE=$key_folder/key
        export EVALGATE_KEY_FILE
        unset EVALGATE_KEY
    fi
    [ -n "${EVALGATE_KEY_FILE:-}" ] || die 'found no key, expected EVALGATE_KEY (a secret) or EVALGATE_KEY_FILE.'
}

drop_key() {
    [ -z "${key_folder:-}" ] || rm -rf -- "$key_folder"
    unset EVALGATE_KEY_FILE
}

check_ledger() { # every line, link and signature, and that nothing is missing that an anchor knows of
    evalgate ledger verify ${EVALGATE_ANCHOR:+--anchor="$EVALGATE_ANCHOR"} >&2
}

find_certificate() { # MODEL EXIT SHA256, as the gate's job reported them: sets `certificate`, its path, and `bytes`, the model's digest
    [ -n "$1" ] || die 'found no model, expected its name in evalgate.toml.'
    [ -f gate.toml ] || die 'found no gate.toml here, expected to be started in the project.'
    [ "$2" = 0 ] || die "refused: the gate ended with ${2:-nothing}, not with 0." 1
    [ -n "$3" ] || die 'refused: the decision has no certificate. Nobody examined the bytes of the model that answered (an endpoint?).' 1
    check_ledger || exit
    entries=$(evalgate ledger show --kind decision --json) || exit
    # What people looked at in this pipeline is what is signed and promoted: no decision about the model may have come after.
    found=$(
        printf '%s\n' "$entries" | python3 -c '
import json, sys

bodies = [json.loads(line)["body"] for line in sys.stdin if line.strip()]
last = [b for b in bodies if b["model"].get("name") == sys.argv[1]][-1:]
if not last or last[0]["digest"] != "sha256:" + sys.argv[2]:
    sys.exit(1)
print(last[0]["model"]["digest"], last[0]["certificate"])' "$1" "$3"
    ) || die "refused: the ledger's latest decision about this model is not the one of this pipeline." 1
    # shellcheck disable=SC2034 # read by promote.sh
    bytes=${found%% *} certificate=${found#* }
}

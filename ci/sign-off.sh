#!/bin/sh
# One person's signature under the certificate that this pipeline's gate has made.
#
#     sh ci/sign-off.sh MODEL ROLE EXIT SHA256
#
# ROLE is one of gate.toml's sign_off, EXIT and SHA256 (of certificate.json) are what the gate's job reported in gate.env. The
# key is that of the person who holds the role: it proves that somebody signed who could start this job, or who has the key.
# Refuses (exit 1) where the gate did not end with 0 or another certificate came after; otherwise ends as
# `evalgate gate approve` does.
#
# EVALGATE_COMMENT   words that stay in the ledger
# EVALGATE_STATE, EVALGATE_KEY, EVALGATE_KEY_FILE, EVALGATE_ANCHOR: see common.sh
set -u

# shellcheck source=ci/common.sh
. "${0%/*}/common.sh"

model=${1:-}
role=${2:-}
[ -n "$role" ] || die 'found no role, expected one of sign_off in gate.toml.'
use_state
take_key
find_certificate "$model" "${3:-}" "${4:-}"
evalgate gate approve --role="$role" --comment="${EVALGATE_COMMENT:-}" -- "$model"

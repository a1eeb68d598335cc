#!/bin/sh
# Promotes a model whose certificate, bytes, plan and signatures hold at this moment, then deploys it with a command of yours.
#
#     sh ci/promote.sh MODEL EXIT SHA256 [ALIAS]
#
# EXIT and SHA256 (of certificate.json) are what the gate's job reported in gate.env; ALIAS is `production` unless named.
# `evalgate gate promote` decides, and its exit code is this script's unless it is 0: 1 refused, 3 a sign-off is missing, 5 the
# bytes, the plan or the ledger are not what was certified. Refuses (exit 1) where the gate did not end with 0 or another
# certificate came after.
#
# PROMOTE_COMMAND then runs in sh, without the gate's key and with these set; its exit code is this script's:
#   EVALGATE_MODEL, EVALGATE_MODEL_DIGEST   what was promoted; it must deploy the bytes of that digest and no others
#   EVALGATE_CERTIFICATE                    the certificate's file: `evalgate verify` holds it against the bytes where they arrive
# Unset: the alias has moved, and whoever runs `evalgate serve ALIAS` serves the model.
#
# DIRECTORY gate-results gets ledger.anchor.json, the signed head of the ledger with the promotion in it.
# EVALGATE_STATE, EVALGATE_KEY, EVALGATE_KEY_FILE, EVALGATE_ANCHOR: see common.sh
set -u

# shellcheck source=ci/common.sh
. "${0%/*}/common.sh"

model=${1:-}
alias=${4:-production}
use_state
take_key
find_certificate "$model" "${2:-}" "${3:-}"
evalgate gate promote --to="$alias" -- "$model" || exit
mkdir -p -- gate-results
evalgate ledger anchor --out gate-results/ledger.anchor.json || exit
drop_key

[ -n "${PROMOTE_COMMAND:-}" ] || exit 0
EVALGATE_MODEL=$model EVALGATE_MODEL_DIGEST=$bytes EVALGATE_CERTIFICATE=$certificate
export EVALGATE_MODEL EVALGATE_MODEL_DIGEST EVALGATE_CERTIFICATE
exec sh -c "$PROMOTE_COMMAND"

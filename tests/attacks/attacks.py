"""The table: what an attacker does, the command that has to notice, the exit codes that are right, the words that name the culprit."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from attacks.acts import (
    ALIAS,
    HEAD,
    JSONL,
    Act,
    a_key_of_mallorys,
    a_model_beside,
    alias_as_certificate,
    alias_of_a_statement_type,
    backdated,
    both,
    certificate_as_alias,
    certified,
    cut_under_a_forged_head,
    cut_with_an_older_head,
    doubled,
    edit,
    edited_alias,
    edited_decision,
    edited_run,
    entry_from_the_future,
    escaping,
    flip,
    flip_in_the_middle,
    forked,
    instead,
    moved_behind_a_link,
    nested_json,
    nothing,
    of_another_model,
    older_alias,
    older_head,
    one_person,
    plant,
    planted_modules,
    remove,
    requested_by_the_officer,
    resealed_open,
    resigned,
    revoked,
    rewritten,
    roles,
    same_key_twice,
    signed_off_by_hand,
    swapped,
    swapped_private,
    waived,
    waived_must_pass,
    without_entries,
)
from attacks.world import DAY, Done, World
from evalgate.crypto.keys import SigningKey

PROMOTE = ("gate", "promote", "rc")
VERIFY = ("verify", "rc")
SERVE = ("serve", "production")
LEDGER = ("ledger", "verify")


@dataclass(frozen=True)
class Attack:
    """One row. `group` is its part of the table; `real`: run by the installed script, since its environment is the attack."""

    group: str
    name: str
    stage: str
    act: Act
    command: tuple[str, ...]
    exits: set[int]
    says: str
    clock: float = 0.0
    env: dict[str, str] = field(default_factory=dict)
    real: bool = False

    def run(self, world: World) -> Done:
        self.act(world)
        env = {k: v.replace("$ROOT", str(world.root)) for k, v in self.env.items()}
        command = tuple(part.replace("$ROOT", str(world.root)) for part in self.command)
        if self.real:
            return world.console(*command, **env)
        return world.evalgate(*command, clock=self.clock, **env)


BYTES = "Bytes"
MODEL = "What is planted in the model's directory"
BOOK = "The ledger"
PAPER = "Certificates, aliases, decisions"
PLAN = "The plan"
PEOPLE_ = "People"
KEYS = "Keys, clock, environment"

ATTACKS: tuple[Attack, ...] = (
    Attack(BYTES, "one bit of the base's weights", "approved", flip("models/base/model.safetensors"), PROMOTE, {5}, "models/base/model.safetensors"),
    Attack(BYTES, "one bit of the adapter's weights", "approved", flip("models/rc/adapter_model.safetensors"), PROMOTE, {5}, "models/rc/adapter_model.safetensors"),
    Attack(BYTES, "one bit of the tokenizer's file", "approved", flip("models/base/tokenizer_config.json", 0), PROMOTE, {5}, "models/base/tokenizer_config.json"),
    Attack(BYTES, "one bit of the chat template", "approved", flip("models/base/chat_template.jinja", 4), PROMOTE, {5}, "models/base/chat_template.jinja"),
    Attack(BYTES, "one bit of the model's config", "approved", flip("models/base/config.json", 0), PROMOTE, {5}, "models/base/config.json"),
    Attack(BYTES, "one bit of the weights after the promotion, verified", "promoted", flip("models/base/model.safetensors"), VERIFY, {5}, "models/base/model.safetensors"),
    Attack(BYTES, "one bit of the weights after the promotion, served", "promoted", flip("models/base/model.safetensors"), SERVE, {5}, "models/base/model.safetensors"),
    Attack(BYTES, "one byte of gate.toml (in a comment)", "approved", flip("gate.toml", 3), PROMOTE, {5}, "gate.toml"),
    Attack(BYTES, "one byte of the gold set", "approved", edit("goldsets/triage.jsonl", "of member 0", "of member O"), PROMOTE, {5}, "goldsets/triage.jsonl"),
    Attack(BYTES, "one byte of the rubric (in a comment)", "approved", flip("rubrics/triage.toml", 3), PROMOTE, {5}, "rubrics/triage.toml"),
    Attack(BYTES, "one byte of the suite (in its docstring)", "approved", edit("suites/test_triage.py", "Triage of", "Triage or"), PROMOTE, {5}, "suites/test_triage.py"),
    Attack(BYTES, "one byte of the prompt", "approved", edit("suites/prompts/triage.md", "Answer", "answer"), PROMOTE, {5}, "suites/prompts/triage.md"),
    Attack(BYTES, "one byte of an answer in the run", "checked", edited_run, ("gate", "check", "rc"), {5}, "answers.jsonl"),
    Attack(BYTES, "one byte of the certificate's payload", "approved", flip("$CERT", 400), PROMOTE, {5}, "reports/certificates/"),
    Attack(BYTES, "one byte of the certificate's signature", "approved", flip("$CERT", -12), PROMOTE, {5}, "reports/certificates/"),
    Attack(BYTES, "one byte of the ledger", "approved", flip_in_the_middle, PROMOTE, {5}, "reports/ledger.jsonl:4"),
    Attack(BYTES, "one byte of the ledger, verified", "approved", flip_in_the_middle, LEDGER, {5}, "line 3"),
    Attack(BYTES, "one byte of the ledger's last line", "approved", flip(JSONL, -30), PROMOTE, {5}, "reports/ledger.jsonl"),
    Attack(BYTES, "one byte of the ledger's head", "approved", flip(HEAD, 40), PROMOTE, {5}, "ledger"),

    Attack(MODEL, "a .git directory in the adapter", "approved", plant("models/rc/.git/config", lambda p: p.write_text("x")), PROMOTE, {5}, ".git"),
    Attack(MODEL, "a .git directory in the adapter's base", "approved", plant("models/base/.git/config", lambda p: p.write_text("x")), PROMOTE, {5}, ".git"),
    Attack(MODEL, "a plain file in the adapter's base", "approved", plant("models/base/modeling_evil.py", lambda p: p.write_text("x")), PROMOTE, {5}, "models/base/modeling_evil.py was added"),
    Attack(MODEL, "a plain file in the adapter's base, served", "promoted", plant("models/base/modeling_evil.py", lambda p: p.write_text("x")), SERVE, {5}, "models/base/modeling_evil.py was added"),
    Attack(MODEL, "a link in the model's directory", "approved", plant("models/base/extra.bin", lambda p: p.symlink_to("/dev/null")), PROMOTE, {5}, "extra.bin"),
    Attack(MODEL, "a FIFO in the model's directory", "approved", plant("models/rc/pipe", os.mkfifo), PROMOTE, {5}, "pipe"),
    Attack(MODEL, "a file whose name is no text", "approved", plant("models/rc/\udcff.bin", lambda p: p.write_text("x")), PROMOTE, {5}, "models/rc"),
    Attack(MODEL, "a link instead of the artifact", "approved", moved_behind_a_link("models/rc"), PROMOTE, {5}, "models/rc is a link"),
    Attack(MODEL, "a link instead of the artifact, when it is checked", "checked", moved_behind_a_link("models/rc2"), ("gate", "check", "rc2"), {2, 5}, "models/rc2"),
    Attack(MODEL, "a link instead of the base", "promoted", moved_behind_a_link("models/base"), SERVE, {5}, "models/base is a link"),
    Attack(MODEL, "a FIFO instead of the artifact", "promoted", instead("models/rc", os.mkfifo), VERIFY, {5}, "models/rc"),
    Attack(MODEL, "a FIFO instead of the artifact, when it is checked", "checked", instead("models/rc2", os.mkfifo), ("gate", "check", "rc2"), {2, 5}, "models.rc2"),
    Attack(MODEL, "a device instead of the artifact", "promoted", instead("models/rc", lambda p: p.symlink_to("/dev/zero")), VERIFY, {5}, "models/rc"),
    Attack(MODEL, "the artifact is gone", "promoted", instead("models/rc", lambda p: None), VERIFY, {5}, "models/rc"),

    Attack(BOOK, "the last entry cut off", "promoted", without_entries(-1), LEDGER, {5}, "the end was cut off"),
    Attack(BOOK, "the last entry cut off, served", "promoted", without_entries(-1), SERVE, {5}, ALIAS),
    Attack(BOOK, "an entry in the middle removed", "promoted", without_entries(2), LEDGER, {5}, "line 3"),
    Attack(BOOK, "two entries swapped", "promoted", swapped, LEDGER, {5}, "line 2"),
    Attack(BOOK, "the last entry twice", "promoted", doubled, LEDGER, {5}, "line 9"),
    Attack(BOOK, "forked: another last entry under the old head", "promoted", forked, LEDGER, {5}, "another entry"),
    Attack(BOOK, "rewritten whole by a new key", "promoted", rewritten(adds_key=False), LEDGER, {5}, "not in keys.toml"),
    Attack(BOOK, "rewritten whole by a new key that keys.toml got too; keys kept elsewhere", "promoted", rewritten(adds_key=True), (*LEDGER, "--keys", "trusted.toml"), {5}, "not in keys.toml"),
    Attack(BOOK, "rewritten whole by a new key that keys.toml got too; anchor kept elsewhere", "promoted", rewritten(adds_key=True), (*LEDGER, "--anchor", "anchor.json"), {5}, "the anchor knows"),
    Attack(BOOK, "rewritten whole by a new key that keys.toml got too; then served", "promoted", rewritten(adds_key=True), SERVE, {5}, "production"),
    Attack(BOOK, "deleted, the head left", "promoted", remove(JSONL), LEDGER, {5}, "the end was cut off"),
    Attack(BOOK, "deleted, the head left; a promotion", "promoted", remove(JSONL), PROMOTE, {5}, "ledger"),
    Attack(BOOK, "deleted with its head; a promotion", "promoted", remove(JSONL, HEAD), PROMOTE, {5}, "the alias production knows entry 7"),
    Attack(BOOK, "deleted with its head; verified", "promoted", remove(JSONL, HEAD), LEDGER, {5}, "the alias production knows entry 7"),
    Attack(BOOK, "deleted with its head; served", "promoted", remove(JSONL, HEAD), SERVE, {5}, ALIAS),
    Attack(BOOK, "the head deleted", "promoted", remove(HEAD), LEDGER, {5}, "no head"),
    Attack(BOOK, "an older head put back", "promoted", older_head, LEDGER, {5}, "entries behind"),
    Attack(BOOK, "cut together with its head; the alias file is left", "promoted", cut_with_an_older_head, LEDGER, {5}, "the alias production knows entry 7"),
    Attack(BOOK, "cut together with its head; anchor kept elsewhere", "promoted", both(cut_with_an_older_head, remove(ALIAS)), (*LEDGER, "--anchor", "anchor.json"), {5}, "entries were cut off"),
    Attack(BOOK, "cut under a forged head; verified", "approved", cut_under_a_forged_head, LEDGER, {5}, "head without a signature"),
    Attack(BOOK, "cut under a forged head; then an honest append", "approved", cut_under_a_forged_head, ("keys", "init", "another", "--role", "waiver"), {5}, "head without a signature"),
    Attack(BOOK, "a line of 200,000 brackets", "promoted", lambda w: w.put_lines([*w.lines()[:2], b'{"entry":{"body":{"x":' + b"[" * 200_000 + b"\n"]), LEDGER, {5}, "line 3"),
    Attack(BOOK, "a head of 200,000 brackets", "promoted", nested_json(HEAD), LEDGER, {5}, "head"),

    Attack(PAPER, "certificate of another model", "approved", of_another_model, PROMOTE, {5}, "reports/certificates/"),
    Attack(PAPER, "expired certificate", "approved", nothing, PROMOTE, {1}, "expired at", clock=91 * DAY),
    Attack(PAPER, "expired certificate, served", "promoted", nothing, SERVE, {1}, "expired at", clock=91 * DAY),
    Attack(PAPER, "certificate signed by an unknown key", "approved", resigned(lambda w: SigningKey.generate()), PROMOTE, {5}, "unknown key"),
    Attack(PAPER, "certificate signed by a sign-off key instead of the gate's", "approved", resigned(lambda w: w.signer("lead").private), PROMOTE, {5}, "reports/certificates/"),
    Attack(PAPER, "certificate signed by the gate as something else", "approved", resigned(lambda w: w.signer("development").private, "application/x"), PROMOTE, {5}, "reports/certificates/"),
    Attack(PAPER, "certificate with an edited verdict under its old signature", "approved", resealed_open, PROMOTE, {5}, "another content than was signed"),
    Attack(PAPER, "certificate that the ledger does not know", "approved", lambda w: w.certify("stray.json", entered=False, expires="2099-01-01T00:00:00.000000Z"), ("verify", "reports/certificates/stray.json"), {5}, "does not know this certificate"),
    Attack(PAPER, "certificate with no subjects", "approved", lambda w: w.certify(subjects=()), PROMOTE, {5}, "reports/certificates/"),
    Attack(PAPER, "certificate whose subjects lie outside of the project", "approved", escaping, PROMOTE, {5}, "reports/certificates/"),
    Attack(PAPER, "certificate of 200,000 brackets", "approved", nested_json("$CERT"), PROMOTE, {5}, "reports/certificates/"),
    Attack(PAPER, "an alias envelope offered as certificate", "promoted", alias_as_certificate, VERIFY, {5}, "reports/certificates/"),
    Attack(PAPER, "a certificate offered as alias", "promoted", certificate_as_alias, SERVE, {5}, ALIAS),
    Attack(PAPER, "the alias's payload signed as a statement", "promoted", alias_of_a_statement_type, SERVE, {5}, ALIAS),
    Attack(PAPER, "alias file edited by hand", "promoted", edited_alias, SERVE, {5}, ALIAS),
    Attack(PAPER, "an older signed alias file put back", "promoted", older_alias, SERVE, {5}, ALIAS),
    Attack(PAPER, "alias file deleted", "promoted", remove(ALIAS), SERVE, {5}, ALIAS),
    Attack(PAPER, "decision JSON edited", "checked", edited_decision(sums=False), ("report", "rc"), {5}, "reports/decisions/"),
    Attack(PAPER, "decision JSON edited, its checksums too", "checked", edited_decision(sums=True), ("report", "rc"), {5}, "reports/"),

    Attack(PLAN, "a threshold lowered after the check", "approved", edit("gate.toml", "0.85", "0.65"), PROMOTE, {5}, "gate.toml"),
    Attack(PLAN, "sign-offs no longer asked for, after the check", "checked", edit("gate.toml", 'sign_off = ["clinical_lead", "release_manager"]\n', ""), PROMOTE, {5}, "gate.toml"),
    Attack(PLAN, "a sealed check asked for after a check on dev sets", "approved", edit("gate.toml", "require_sealed = false", "require_sealed = true"), PROMOTE, {5}, "gate.toml"),
    Attack(PLAN, "a conftest.py added to the suites after the check", "approved", lambda w: w.write("suites/conftest.py", "\n"), PROMOTE, {5}, "suites/conftest.py"),
    Attack(PLAN, "another model under the same name in evalgate.toml", "approved", a_model_beside, PROMOTE, {5}, "[models.rc] names other files"),
    Attack(PLAN, "another model under the same name in evalgate.toml, served", "promoted", a_model_beside, SERVE, {5}, "models.rc"),
    Attack(PLAN, "first_release after a promotion", "promoted", edit("gate.toml", "[gate]", "[gate]\nfirst_release = true"), ("gate", "check", "rc"), {2}, "EG116"),

    Attack(PEOPLE_, "no sign-off", "checked", nothing, PROMOTE, {3}, "missing; who holds the key runs"),
    Attack(PEOPLE_, "sign-off by the gate's own key", "checked", roles("development", "gate", "clinical_lead"), ("gate", "approve", "rc", "--role", "clinical_lead", "--key", "development"), {1}, "held by whoever runs the gate"),
    Attack(PEOPLE_, "sign-off by another key of the gate's holder", "checked", edit("keys.toml", "C. Lead", "the gate's account"), ("gate", "approve", "rc", "--role", "clinical_lead"), {1}, "held by whoever runs the gate"),
    Attack(PEOPLE_, "sign-off by another key of the gate's holder, written by hand", "checked", both(signed_off_by_hand("lead", "clinical_lead"), edit("keys.toml", "C. Lead", "the gate's account")), PROMOTE, {1}, "held by whoever runs the gate"),
    Attack(PEOPLE_, "one person in two roles", "checked", both(roles("lead", "clinical_lead", "release_manager"), signed_off_by_hand("lead", "clinical_lead")), ("gate", "approve", "rc", "--role", "release_manager", "--key", "lead"), {1}, "C. Lead has signed as clinical_lead already"),
    Attack(PEOPLE_, "one person in two roles, written by hand", "checked", both(roles("lead", "clinical_lead", "release_manager"), signed_off_by_hand("lead", "clinical_lead"), signed_off_by_hand("lead", "release_manager")), PROMOTE, {1}, "C. Lead has signed as"),
    Attack(PEOPLE_, "one person with two keys, her name spelled otherwise", "checked", one_person, ("gate", "approve", "rc", "--role", "release_manager", "--key", "other"), {1}, "has signed as clinical_lead already"),
    Attack(PEOPLE_, "one key under two names", "checked", same_key_twice, PROMOTE, {2, 5}, "EG707"),
    Attack(PEOPLE_, "sign-off in a role that the key has not, written by hand", "checked", signed_off_by_hand("lead", "release_manager"), PROMOTE, {5}, "has not the role"),
    Attack(PEOPLE_, "sign-off of the certificate before this one", "approved", lambda w: w.certify(expires="2099-01-01T00:00:00.000000Z"), PROMOTE, {3}, "missing; who holds the key runs"),
    Attack(PEOPLE_, "waiver granted by who asked for it", "checked", requested_by_the_officer, ("gate", "waive", "--grant", "6"), {1}, "asked for this waiver"),
    Attack(PEOPLE_, "waiver granted by who asked for it, written by hand", "checked", waived("officer", "officer"), PROMOTE, {3}, "the decision"),
    Attack(PEOPLE_, "waiver granted by a key without that role, written by hand", "checked", waived("lead", "manager"), PROMOTE, {5}, "has not the role 'waiver'"),
    Attack(PEOPLE_, "waiver granted by a key without that role, called a request", "checked", waived("lead", "manager", stage="request"), PROMOTE, {3}, "the decision"),
    Attack(PEOPLE_, "waiver for a must-pass row", "checked", both(certified("must_pass")), ("gate", "waive", "rc", "triage", "must_pass", "--reason", "x", "--until", "2099-01-01T00:00:00Z"), {2}, "must-pass row"),
    Attack(PEOPLE_, "waiver for a must-pass row, written by hand", "checked", waived_must_pass, PROMOTE, {3}, "must_pass"),
    Attack(PEOPLE_, "waiver that has run out", "checked", waived("lead", "officer", until="2026-01-31T00:00:00Z"), PROMOTE, {3}, "the decision"),
    Attack(PEOPLE_, "waiver that has run out, its time in another form", "checked", waived("lead", "officer", until="20260131T000000Z"), PROMOTE, {3}, "the decision"),
    Attack(PEOPLE_, "waiver without a time", "checked", waived("lead", "officer", until="zz"), PROMOTE, {3}, "the decision"),

    Attack(KEYS, "keys.toml deleted", "approved", remove("keys.toml"), PROMOTE, {2, 5}, "keys.toml"),
    Attack(KEYS, "keys.toml deleted, ledger verified", "approved", remove("keys.toml"), LEDGER, {2, 5}, "keys.toml"),
    Attack(KEYS, "the private key swapped", "approved", swapped_private, PROMOTE, {2, 5}, "development.key"),
    Attack(KEYS, "the gate's key revoked before it signed", "approved", revoked("development", "2026-01-01T00:00:00Z"), PROMOTE, {5}, "after that key was revoked"),
    Attack(KEYS, "the gate's key revoked before it signed, the time in another form", "approved", revoked("development", "20260101T000000Z"), PROMOTE, {2, 5}, "development"),
    Attack(KEYS, "a sign-off key revoked before it signed", "approved", revoked("lead", "2026-01-01T00:00:00Z"), PROMOTE, {5}, "'lead' after that key was revoked"),
    Attack(KEYS, "a stolen sign-off key, revoked, signs with a time before its revocation", "checked", backdated, PROMOTE, {5}, "'lead' after that key was revoked"),
    Attack(KEYS, "the clock behind the last entry; promoted", "approved", entry_from_the_future, PROMOTE, {5}, "behind the last entry"),
    Attack(KEYS, "the clock behind the last entry; checked", "checked", entry_from_the_future, ("gate", "check", "rc"), {5}, "behind the last entry"),
    Attack(KEYS, "the clock behind the last entry; verified", "promoted", entry_from_the_future, VERIFY, {5}, "behind the last entry"),
    Attack(KEYS, "the clock behind the last entry; served", "promoted", entry_from_the_future, SERVE, {5}, "behind the last entry"),
    Attack(KEYS, "the clock before the certificate", "promoted", nothing, VERIFY, {5}, "clock", clock=-DAY),
    Attack(KEYS, "EVALGATE_KEY_FILE names an unknown key", "approved", a_key_of_mallorys, PROMOTE, {2, 5}, "which keys.toml does not know", env={"EVALGATE_KEY_FILE": "mallory.key"}),
    Attack(KEYS, "EVALGATE_KEY_FILE names a sign-off key for the gate", "approved", nothing, PROMOTE, {2, 5}, "expected one with the role 'gate'", env={"EVALGATE_KEY_FILE": ".evalgate/lead.key"}),
    Attack(KEYS, "EVALGATE_KEY_FILE names a key with another role for a sign-off", "checked", nothing, ("gate", "approve", "rc", "--role", "clinical_lead"), {2, 5}, "expected one with the role 'clinical_lead'", env={"EVALGATE_KEY_FILE": ".evalgate/manager.key"}),
    Attack(KEYS, "variables that would relax the gate of an edited run", "checked", both(edited_run, planted_modules), ("gate", "check", "rc"), {5}, "answers.jsonl", real=True, env={
        "PYTHONPATH": "$ROOT/evil", "PYTEST_ADDOPTS": "-k nothing --partial", "PYTEST_PLUGINS": "conftest", "PYTHONOPTIMIZE": "2", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "",
        "EVALGATE_NONCE": "0", "EVALGATE_PERIMETER": '{"guarantee":"netns"}', "EVALGATE_SKIP": "1", "GATE": "open", "EVALGATE_ALPHA": "0.49"}),
)  # fmt: skip

"""The table: what an attacker does, the command that has to notice, the exit codes that are right, the words that name the culprit."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from attacks.world import DAY, Done, World, undecided
from evalgate import digest
from evalgate.authored.keyring import with_key
from evalgate.crypto.envelope import STATEMENT_TYPE, read_envelope, seal_envelope
from evalgate.crypto.keys import SigningKey
from evalgate.store.certificate import Subject
from evalgate.store.ledger import Head, Line, SignedHead, stamp
from evalgate.store.signer import keyring_of

Act = Callable[[World], object]
PROMOTE = ("gate", "promote", "rc")
VERIFY = ("verify", "rc")
SERVE = ("serve", "production")
LEDGER = ("ledger", "verify")
HEAD = "reports/ledger.head.json"
JSONL = "reports/ledger.jsonl"
ALIAS = "reports/aliases/production.json"


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


def flip(name: str, at: int = -1) -> Act:
    return lambda world: world.flip(name, at)


def edit(name: str, old: str, new: str) -> Act:
    return lambda world: world.edit(name, old, new)


def both(*acts: Act) -> Act:
    def act(world: World) -> None:
        for one in acts:
            one(world)

    return act


def nothing(world: World) -> None:
    del world


# the model's files


def plant(name: str, make: Callable[[Path], object]) -> Act:
    def act(world: World) -> None:
        path = world.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)

    return act


def moved_behind_a_link(name: str) -> Act:
    def act(world: World) -> None:
        path = world.path(name)
        aside = path.rename(path.with_name(f"{path.name}.moved"))
        path.symlink_to(aside, target_is_directory=True)

    return act


def instead(name: str, make: Callable[[Path], object]) -> Act:
    def act(world: World) -> None:
        shutil.rmtree(world.path(name))
        make(world.path(name))

    return act


# the ledger


def without_entries(*numbers: int) -> Act:
    def act(world: World) -> None:
        lines = world.lines()
        gone = {n % len(lines) for n in numbers}
        world.put_lines([line for i, line in enumerate(lines) if i not in gone])

    return act


def swapped(world: World) -> None:
    lines = world.lines()
    lines[1], lines[2] = lines[2], lines[1]
    world.put_lines(lines)


def doubled(world: World) -> None:
    lines = world.lines()
    world.put_lines([*lines, lines[-1]])


def flip_in_the_middle(world: World) -> None:
    lines = world.lines()
    middle = bytearray(lines[2])
    middle[middle.index(b'"holder"') + 12] ^= 1
    world.put_lines([*lines[:2], bytes(middle), *lines[3:]])


def forked(world: World) -> None:
    """The ledger goes on from an earlier state, as if the promotion had never been."""
    world.put_lines(world.lines()[:-1])
    head = world.path(HEAD).read_bytes()
    world.path(HEAD).unlink()
    private = world.signer("development").private
    _rewrite(world, private, [Line_.entry for Line_ in _read(world)])
    world.append("development", "rotation", {"note": "another branch"})
    world.path(HEAD).write_bytes(head)


def _read(world: World) -> list[Line]:
    import msgspec

    return [msgspec.json.decode(line, type=Line) for line in world.lines()]


def _rewrite(world: World, private: SigningKey, entries: list, by: str | None = None) -> None:
    """Every entry once more, signed by one key, with a head that fits: what the holder of such a key can write."""
    import msgspec

    from evalgate.store.ledger import START, _sign

    previous, lines = START, []
    for seq, entry in enumerate(entries):
        fields = {"previous": previous, "seq": seq} | ({"by": by} if by else {})
        new = msgspec.structs.replace(entry, **fields)
        sig = _sign(digest.canonical(new), private)
        line = digest.canonical(Line(entry=new, key=private.public.id, sig=sig))
        lines.append(line + b"\n")
        previous = digest.of_bytes(line)
    world.put_lines(lines)
    head = Head(at=stamp(), hash=previous, seq=len(lines) - 1)
    signed = SignedHead(
        head=head, key=private.public.id, sig=_sign(digest.canonical(head), private)
    )
    world.path(HEAD).write_bytes(digest.canonical(signed) + b"\n")


def rewritten(*, adds_key: bool) -> Act:
    """The whole ledger again, by a new key and without the promotion; keys.toml knows that key or not."""

    def act(world: World) -> None:
        shutil.copy(world.path("keys.toml"), world.path("trusted.toml"))
        shutil.copy(world.path(HEAD), world.path("anchor.json"))
        entries = [line.entry for line in _read(world)][:-1]
        private = SigningKey.generate()
        if adds_key:
            _add_key(world, private)
        _rewrite(world, private, entries, by="mallory")

    return act


def _add_key(world: World, private: SigningKey, name: str = "mallory", **fields) -> None:
    from evalgate.authored.keyring import Key

    given = {"roles": ("gate",), "holder": "M."} | fields
    key = Key(name=name, public=private.public.text, **given)
    world.write("keys.toml", with_key(world.path("keys.toml").read_text(), key))


def older_head(world: World) -> None:
    """The head of some entries ago, as kept by somebody who wants to cut the ledger later."""
    import msgspec

    from evalgate.store.ledger import _sign

    private = world.signer("development").private
    lines = world.lines()
    head = Head(at=stamp(), hash=digest.of_bytes(lines[2][:-1]), seq=2)
    sig = _sign(digest.canonical(head), private)
    signed = SignedHead(head=head, key=private.public.id, sig=sig)
    world.path(HEAD).write_bytes(msgspec.json.encode(signed))


def cut_with_an_older_head(world: World) -> None:
    shutil.copy(world.path(HEAD), world.path("anchor.json"))
    older_head(world)
    world.put_lines(world.lines()[:3])


def cut_under_a_forged_head(world: World) -> None:
    """Cut, under a head that nobody signed: the next honest append must not sign this away."""
    lines = world.lines()[:3]
    head = Head(at=stamp(), hash=digest.of_bytes(lines[1][:-1]), seq=1)
    forged = SignedHead(head=head, key=world.signer("development").key.id, sig="AAAA")
    world.put_lines(lines)
    world.path(HEAD).write_bytes(digest.canonical(forged) + b"\n")


def remove(*names: str) -> Act:
    def act(world: World) -> None:
        for name in names:
            world.path(name).unlink()

    return act


def entry_from_the_future(world: World) -> None:
    """An entry that was written while the clock was a day ahead; then the clock goes back."""
    import time

    def write() -> None:
        right = time.time
        time.time = lambda: right() + DAY
        world.append("development", "purge", {"what": "nothing"})

    done = world.forked(write)
    assert done.exit == 0, done


# certificates


def of_another_model(world: World) -> None:
    """The ledger's certificate about rc is replaced by a signed one about rc2."""
    path = world.certify("99990101T000000000000-rc2-x.json", decision=_named("rc2"))
    path.replace(world.certificate)


def _named(name: str) -> dict:
    return {"model": {"name": name, "digest": f"sha256:{'1' * 64}"}}


def resigned(key: Callable[[World], SigningKey], payload_type: str = STATEMENT_TYPE) -> Act:
    """The same payload, signed by another key, put in the place of the certificate."""

    def act(world: World) -> None:
        path = world.certificate
        payload = read_envelope(path.read_bytes()).payload
        path.write_bytes(seal_envelope(payload_type, payload, key(world)) + b"\n")

    return act


def resealed_open(world: World) -> None:
    """A closed decision's certificate, its payload edited to say open, with the old signature."""
    path = world.certificate
    envelope = json.loads(path.read_bytes())
    payload = base64.b64decode(envelope["payload"])
    assert b'"decision":"open"' in payload
    edited = payload.replace(b'"decision":"open"', b'"decision":"shut"', 1)
    envelope["payload"] = base64.b64encode(edited).decode()
    path.write_bytes(digest.canonical(envelope) + b"\n")


def escaping(world: World) -> None:
    """Subjects outside of the project, which exist: signed by the gate's own key."""
    outside = world.root.parent / f"outside-{world.root.name}"
    outside.mkdir()
    (outside / "weights").write_bytes(b"elsewhere")
    name = f"../{outside.name}"
    hexed = digest.of_file(outside / "weights").removeprefix("sha256:")
    subject = Subject(name=f"{name}/weights", digest={"sha256": hexed})
    world.certify(subjects=(subject,), artifact=name, base="")


def nested_json(name: str) -> Act:
    return lambda world: world.path(name).write_bytes(b'{"x":' + b"[" * 200_000)


# aliases


def alias_as_certificate(world: World) -> None:
    shutil.copy(world.path(ALIAS), world.certificate)


def certificate_as_alias(world: World) -> None:
    shutil.copy(world.certificate, world.path(ALIAS))


def alias_of_a_statement_type(world: World) -> None:
    """The alias's own payload, signed by the gate's key as if it were a statement."""
    payload = read_envelope(world.path(ALIAS).read_bytes()).payload
    key = world.signer("development").private
    world.path(ALIAS).write_bytes(seal_envelope(STATEMENT_TYPE, payload, key))


def edited_alias(world: World) -> None:
    envelope = json.loads(world.path(ALIAS).read_bytes())
    told = json.loads(base64.b64decode(envelope["payload"])) | {"model": "rc2"}
    envelope["payload"] = base64.b64encode(digest.canonical(told)).decode()
    world.path(ALIAS).write_bytes(digest.canonical(envelope))


def older_alias(world: World) -> None:
    """The alias moves on; then its file of before is put back."""
    old = world.path(ALIAS).read_bytes()
    _promote_by_hand(world)
    world.path(ALIAS).write_bytes(old)


def _promote_by_hand(world: World) -> None:
    last = next(e for e in reversed(world.ledger.entries()) if e.kind == "promotion")
    world.append("development", "promotion", last.body)


# people


def certified(test: str = "accuracy") -> Act:
    return lambda world: world.certify(decision=undecided(world, test))


def signed_off_by_hand(by: str, role: str) -> Act:
    """A sign-off that its signer writes into the ledger without asking the command."""

    def act(world: World) -> None:
        world.append(by, "signoff", _signoff(world, role))

    return act


def _signoff(world: World, role: str) -> dict:
    model = world.statement.predicate.decision["model"]
    return {
        "certificate": digest.of_file(world.certificate),
        "model": model,
        "role": role,
        "holder": "somebody",
        "comment": "",
    }


def _waiver(world: World, **fields) -> dict:
    return {
        "stage": "request",
        "certificate": digest.of_file(world.certificate),
        "model": world.statement.predicate.decision["model"],
        "suite": "triage",
        "test": "accuracy",
        "reason": "urgent",
        "until": "2099-01-01T00:00:00Z",
        "holder": "somebody",
    } | fields


def approved_again(world: World) -> None:
    for role, by in (("clinical_lead", "lead"), ("release_manager", "manager")):
        world.append(by, "signoff", _signoff(world, role))


def waived(by: str, granted_by: str, **grant) -> Act:
    """A waiver of the undecided finding: asked by one key, granted by another, both written by hand."""

    def act(world: World) -> None:
        certified()(world)
        approved_again(world)
        asked = world.append(by, "waiver", _waiver(world, **grant))
        fields = {"stage": "grant", "request": asked.seq} | grant
        world.append(granted_by, "waiver", _waiver(world, **fields))

    return act


def waived_must_pass(world: World) -> None:
    certified("must_pass")(world)
    approved_again(world)
    asked = world.append("lead", "waiver", _waiver(world, test="must_pass"))
    body = _waiver(world, test="must_pass", stage="grant", request=asked.seq)
    world.append("officer", "waiver", body)


def requested_by_the_officer(world: World) -> None:
    certified()(world)
    world.append("officer", "waiver", _waiver(world))


def roles(name: str, *given: str) -> Act:
    old = {"lead": "clinical_lead", "manager": "release_manager", "development": "gate"}[name]

    def act(world: World) -> None:
        told = ", ".join(f'"{role}"' for role in given)
        world.edit("keys.toml", f'roles = ["{old}"]', f"roles = [{told}]")

    return act


def one_person(world: World) -> None:
    """The lead signs as lead; a second key of hers is entered under another name, for the other role."""
    private = SigningKey.generate()
    _add_key(world, private, "other", roles=("release_manager",), holder="c.  LEAD ")
    private.write(world.path(".evalgate/other.key"))
    world.append("lead", "signoff", _signoff(world, "clinical_lead"))


def same_key_twice(world: World) -> None:
    """The lead's key under a second name, in another spelling of the same base64."""
    text = world.path("keys.toml").read_text()
    lead = text[text.index("[keys.lead]") :]
    public = lead.split('public = "', 1)[1][:44]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = f"{public[:42]}{letters[letters.index(public[42]) ^ 1]}="
    assert base64.b64decode(other) == base64.b64decode(public)
    table = f'\n[keys.twin]\npublic = "{other}"\nroles = ["release_manager"]\nholder = "T. Twin"\n'
    world.write("keys.toml", text + table)


# keys


def swapped_private(world: World) -> None:
    world.path(".evalgate/development.key").unlink()
    SigningKey.generate().write(world.path(".evalgate/development.key"))


def revoked(name: str, when: str, then: Act = nothing) -> Act:
    def act(world: World) -> None:
        then(world)
        text = world.path("keys.toml").read_text()
        head = f"[keys.{name}]\n"
        assert head in text
        world.write("keys.toml", text.replace(head, f'{head}revoked = "{when}"\n'))

    return act


def backdated(world: World) -> None:
    """Revoked by the command; then the thief writes an entry by hand, at the latest time at which the key still counted."""
    import msgspec

    from evalgate.store.ledger import _sign

    stolen = world.signer("lead").private
    done = world.evalgate("keys", "revoke", "lead", "--reason", "stolen")
    assert done.exit == 0, done
    before = _read(world)
    revoked = keyring_of(world.root).keys["lead"].revoked
    at = max((line.entry.at for line in before if line.entry.at < revoked), default="")
    entry = msgspec.structs.replace(
        before[-1].entry,
        at=max(at, before[-1].entry.at),
        body=_signoff(world, "clinical_lead"),
        by="lead",
        kind="signoff",
        previous=digest.of_bytes(world.lines()[-1][:-1]),
        seq=len(before),
    )
    line = Line(entry=entry, key=stolen.public.id, sig=_sign(digest.canonical(entry), stolen))
    world.put_lines([*world.lines(), digest.canonical(line) + b"\n"])


def a_key_of_mallorys(world: World) -> None:
    SigningKey.generate().write(world.path("mallory.key"))


# decisions


def edited_decision(*, sums: bool) -> Act:
    def act(world: World) -> None:
        path = next(
            p
            for p in world.path("reports/decisions").glob("*.json")
            if not p.name.endswith(".evidence.json")
        )
        path.write_text(path.read_text().replace('"estimate": 1.0', '"estimate": 0.9', 1))
        if sums:
            import msgspec

            from evalgate.gate.record import _Stored

            beside = path.with_name(f"{path.stem}.evidence.json")
            stored = msgspec.json.decode(beside.read_bytes(), type=_Stored)
            stored = msgspec.structs.replace(stored, decision=digest.of_file(path))
            stored = msgspec.structs.replace(stored, sum=stored.own_sum)
            beside.write_bytes(msgspec.json.encode(stored))

    return act


def edited_run(world: World) -> None:
    path = next(world.path("reports/runs").glob("*/*/answers.jsonl"))
    path.write_text(path.read_text().replace('"text":"DENY"', '"text":"DEAR"', 1))


def a_model_beside(world: World) -> None:
    """evalgate.toml names other files for the model that is promoted."""
    world.edit("evalgate.toml", 'artifact = "models/rc"\n', 'artifact = "models/rc2"\n')


# environments


def planted_modules(world: World) -> None:
    lax = "import os\nos._exit(0)\n"
    for name in ("pytest.py", "conftest.py", "xdist.py"):
        world.write(f"evil/{name}", lax)
    world.write("evil/pytest.ini", "[pytest]\naddopts = -k nothing\n")


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

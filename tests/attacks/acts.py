"""What attackers do: each function changes a project as one of them would."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from attacks.world import DAY, World, undecided
from evalgate import digest
from evalgate.authored.keyring import with_key
from evalgate.crypto.envelope import STATEMENT_TYPE, read_envelope, seal_envelope
from evalgate.crypto.keys import SigningKey
from evalgate.store.certificate import Subject
from evalgate.store.ledger import Head, Line, SignedHead, stamp
from evalgate.store.signer import keyring_of

Act = Callable[[World], object]
HEAD = "reports/ledger.head.json"
JSONL = "reports/ledger.jsonl"
ALIAS = "reports/aliases/production.json"


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
    world.append("development", "serving", {"note": "another branch"})
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
    _add_key(world, private, "other", roles=("release_manager",), holder="c. LEAD")
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

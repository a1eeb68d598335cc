"""Directories of safetensors and adapters over them: whole, and belonging together."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import stand_in
from hypothesis import given
from hypothesis import strategies as st

from evalgate import digest
from evalgate.errors import EvalgateError, IntegrityError, UsageError
from evalgate.models.artifact import (
    Weights,
    check_adapter,
    check_directory,
    only_linked,
    template_digest,
    tensors,
)


def refused(action, *args, **kwargs) -> EvalgateError:
    with pytest.raises(EvalgateError) as caught:
        action(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize("shards", [1, 2])
def test_a_whole_directory_is_taken(tmp_path, shards):
    check_directory(stand_in.model(tmp_path / "m", shards=shards), where="m")


def test_a_missing_shard_is_told(tmp_path):
    model = stand_in.model(tmp_path / "m", shards=2)
    (model / "model-1.safetensors").unlink()
    error = refused(check_directory, model, where="models/m")
    assert isinstance(error, UsageError)
    assert str(error).startswith("models/m: EG342 found that model-1.safetensors is missing")


def test_a_shard_of_another_model_is_told(tmp_path):
    model = stand_in.model(tmp_path / "m", shards=2)
    shutil.copy(model / "model-0.safetensors", model / "model-1.safetensors")
    error = refused(check_directory, model, where="m")
    assert error.code == "EG342"
    assert "model-1.safetensors lacks 1 tensors" in str(error)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_weight_file_cut_short_or_grown_is_told(tmp_path, change):
    model = stand_in.model(tmp_path / "m")
    file = model / "model.safetensors"
    data = file.read_bytes()
    file.write_bytes(data[:-1] if change < 0 else data + b"\0")
    error = refused(check_directory, model, where="m")
    assert error.code == "EG342"
    assert f"found {len(data) + change} bytes" in str(error)
    assert f"its header says {len(data)}" in str(error)


@pytest.mark.parametrize(
    "data",
    [b"", b"\1", b"\xff" * 8, b"\2\0\0\0\0\0\0\0[]", b"\4\0\0\0\0\0\0\0null", b'\10\0\0\0\0\0\0\0{"a": 1}'],
    ids=["empty", "one byte", "endless", "list", "null", "no tensor"],
)  # fmt: skip
def test_what_is_no_safetensors_file_is_told(tmp_path, data):
    (tmp_path / "x.safetensors").write_bytes(data)
    assert refused(tensors, tmp_path / "x.safetensors", where="x").code == "EG342"


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_directory_without_what_makes_it_a_model_is_told(tmp_path, name):
    model = stand_in.model(tmp_path / "m")
    (model / name).unlink()
    error = refused(check_directory, model, where="m")
    assert error.code == "EG341"
    assert error.exit == 2


def test_pickled_weights_are_not_taken(tmp_path):
    model = stand_in.model(tmp_path / "m")
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    assert refused(check_directory, model, where="m").code == "EG356"


def test_an_index_that_leads_elsewhere_is_refused(tmp_path):
    model = stand_in.model(tmp_path / "m", shards=2)
    index = {"weight_map": {"a": "../other/model.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    assert refused(check_directory, model, where="m").code == "EG342"


def test_the_digest_covers_every_file_of_adapter_and_base_and_refuses_links(tmp_path):
    base, adapter = stand_in.model(tmp_path / "b"), stand_in.adapter(tmp_path / "a")
    both = Weights(adapter, base)
    seen = {both.digest(), Weights(base).digest(), Weights(adapter).digest()}
    for path in (
        base / "config.json",
        base / "chat_template.jinja",
        adapter / "adapter_config.json",
    ):
        path.write_text(path.read_text() + " ")
        seen.add(both.digest())
    assert len(seen) == 6
    (adapter / "link").symlink_to(base)
    assert refused(both.digest).code == "EG302"


def test_a_touched_swapped_or_added_file_changes_the_state(tmp_path):
    base, adapter = stand_in.model(tmp_path / "b"), stand_in.adapter(tmp_path / "a")
    both = Weights(adapter, base)
    before = both.state()
    assert both.state() == before
    (base / "added").write_text("x")
    assert both.state() != before
    shutil.rmtree(adapter)
    assert both.state() != before


def test_an_adapter_that_fits_its_base_is_known_by_its_rank(tmp_path):
    base = stand_in.model(tmp_path / "b", shards=2)
    assert check_adapter(Weights(stand_in.adapter(tmp_path / "a", rank=5), base), where="a") == 5


def test_an_adapter_of_another_base_is_told_with_the_first_layer(tmp_path):
    base = stand_in.model(tmp_path / "b")
    error = refused(
        check_adapter, Weights(stand_in.adapter(tmp_path / "a", columns=7), base), where="a"
    )
    assert error.code == "EG347"
    assert error.exit == 2
    assert "found 1 of 1 adapted layers" in str(error)
    assert "model.layers.0.q_proj" in str(error)


def test_an_adapter_that_learned_nothing_is_refused(tmp_path):
    base = stand_in.model(tmp_path / "b")
    error = refused(
        check_adapter, Weights(stand_in.adapter(tmp_path / "a", value=b"\0"), base), where="a"
    )
    assert isinstance(error, IntegrityError)
    assert error.code == "EG348"


def test_an_adapter_without_weights_or_of_another_kind_is_told(tmp_path):
    base, adapter = stand_in.model(tmp_path / "b"), stand_in.adapter(tmp_path / "a")
    (adapter / "adapter_model.safetensors").unlink()
    assert refused(check_adapter, Weights(adapter, base), where="a").code == "EG342"
    (adapter / "adapter_config.json").write_text('{"peft_type": "PREFIX_TUNING"}')
    assert refused(check_adapter, Weights(adapter, base), where="a").code == "EG341"


def test_a_template_is_found_where_transformers_finds_it(tmp_path):
    model = stand_in.model(tmp_path / "m", template="file")
    config = model / "tokenizer_config.json"
    config.write_text('{"chat_template": "config"}')
    assert template_digest(model, where="m") == digest.of_bytes(b"file")
    (model / "chat_template.jinja").unlink()
    assert template_digest(model, where="m") == digest.of_bytes(b"config")
    named = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": "d"}]
    config.write_text(json.dumps({"chat_template": named}))
    assert template_digest(model, where="m") == digest.of_bytes(b"d")
    config.write_text("{}")
    assert template_digest(model, where="m") is None


def test_a_new_link_is_told_from_new_bytes(tmp_path):
    model = stand_in.model(tmp_path / "m")
    weights = Weights(model)
    before = weights.state()
    assert only_linked(before, before)
    (tmp_path / "linked").hardlink_to(model / "model.safetensors")
    assert weights.state() != before
    assert only_linked(before, weights.state())
    (tmp_path / "linked").unlink()
    (tmp_path / "again").hardlink_to(model / "model.safetensors")
    assert only_linked(before, weights.state())


@pytest.mark.parametrize("act", ["edit", "touch", "add", "remove", "swap", "swap back", "mode"])
def test_what_touches_bytes_is_more_than_handling(tmp_path, act):
    model = stand_in.model(tmp_path / "m")
    file = model / "model.safetensors"
    before, stat = Weights(model).state(), file.stat()
    if act == "edit":
        file.write_bytes(file.read_bytes()[::-1])
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    elif act == "touch":
        file.touch()
    elif act == "add":
        (model / "more").write_text("x")
    elif act == "remove":
        file.unlink()
    elif act == "mode":  # a write that is put back moves nothing else that could be told from it
        file.chmod(0o600)
    else:
        shutil.copy2(file, tmp_path / "other")
        if act == "swap":
            (tmp_path / "other").replace(file)
        else:
            file.rename(tmp_path / "aside")
            (tmp_path / "aside").rename(file)
    assert not only_linked(before, Weights(model).state())


@given(
    st.binary(max_size=60)
    | st.builds(
        lambda length, head, rest: length.to_bytes(8, "little") + head + rest,
        st.integers(0, 80),
        st.sampled_from(
            [
                b"{}",
                b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
                b'{"a":{"shape":3}}',
                b"[1]",
            ]
        ),
        st.binary(max_size=6),
    )
)
def test_arbitrary_bytes_are_tensors_that_end_with_the_file_or_a_usage_error(
    tmp_path_factory, data
):
    file = tmp_path_factory.mktemp("one") / "x.safetensors"
    file.write_bytes(data)
    try:
        found = tensors(file, where="x")
    except UsageError as error:
        assert error.code == "EG342"
    else:
        assert max((t.end for t in found.values()), default=8 + data[0]) == len(data)

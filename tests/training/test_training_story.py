"""The whole story on a toy: a base that is closed, data, a locked plan, training, an open gate, promotion. Real parts, a minute or two."""

import json
import os
from pathlib import Path

import pytest
from story.trained_services import TOY
from story.training import TrainingStory

PYTHON = os.environ.get("EVALGATE_TRAIN_PYTHON", "")
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="EVALGATE_TRAIN_PYTHON names no Python with torch, peft and trl"
)


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    story = TrainingStory(tmp_path_factory.mktemp("story"), TOY, str(Path(PYTHON).absolute()))
    story.run()  # raises Stopped where a command does not end as it should
    return story


def test_a_base_model_is_closed_and_what_is_trained_of_it_is_open_and_promoted(story):
    assert story.end == "closed -> open -> promoted"
    lines = (story.root / "reports/ledger.jsonl").read_text().splitlines()
    kinds = [json.loads(line)["entry"]["kind"] for line in lines]
    assert [k for k in kinds if k != "key"] == [
        "decision",
        "plan",
        "decision",
        "signoff",
        "signoff",
        "promotion",
    ]


def test_nothing_is_trained_before_the_plan_is_locked(story):
    (refused,) = [told for told in story.told if "--admit-only" in told.argv]
    assert refused.code == 1
    assert "EG802" in refused.out


def test_every_claim_of_every_task_is_told_before_and_after(story):
    (told,) = [told for told in story.told if told.argv[:2] == ("run", "diff")]
    for task in ("routing", "urgency"):
        assert f"{task} 60 items" in told.out
    assert told.out.count("accuracy >= 0.80") == 2
    assert told.out.count("unparseable_rate <= 0.20") == 2


def test_the_certificate_covers_the_record_of_training(story):
    alias = next((story.root / "reports/aliases").glob("*"))
    assert alias.is_file()
    record = json.loads((story.root / "models/rc1/training.json").read_text())
    (certificate,) = (story.root / "reports/certificates").glob("*-rc1-*.json")
    assert record["schema"] == "evalgate.training/1"
    assert certificate.stat().st_size > 1000

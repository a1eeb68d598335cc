import pytest

from switching.switch_world import SwitchWorld


@pytest.fixture(scope="session")
def built_switch(tmp_path_factory):
    """The project with its model in production, made once."""
    return SwitchWorld.build(tmp_path_factory.mktemp("switch") / "built")


@pytest.fixture
def world(built_switch, tmp_path):
    """A copy of it for one test."""
    return SwitchWorld(built_switch.copy(tmp_path / "world").root)

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from lucid_kit.metrics import Metrics
from lucid_kit.settings import Settings, SettingsInvalid


class Sessions(Settings):
    model_config = SettingsConfigDict(env_prefix="LUCID_SESSIONS_")

    spool_mib: int = 512
    store: str = "memory://"


def test_arguments_beat_the_environment_and_the_environment_beats_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LUCID_SESSIONS_SPOOL_MIB", "7")
    monkeypatch.setenv("LUCID_SESSIONS_STORE", "file:///x")
    assert Sessions.load(store="s3://b") == Sessions(spool_mib=7, store="s3://b")


def test_a_wrong_value_is_named_by_its_variable_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCID_SESSIONS_SPOOL_MIB", "hunter2")
    with pytest.raises(
        SettingsInvalid, match="LUCID_SESSIONS_SPOOL_MIB: Input should be a valid integer"
    ) as caught:
        Sessions.load()
    assert "hunter2" not in str(caught.value) + str(caught.value.facts)
    assert caught.value.__cause__ is None


def test_a_misspelt_variable_is_an_error_that_suggests_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCID_SESSIONS_SPOOL_MB", "7")
    with pytest.raises(
        SettingsInvalid,
        match="LUCID_SESSIONS_SPOOL_MB: is not a setting; did you mean LUCID_SESSIONS_SPOOL_MIB",
    ):
        Sessions.load()


def test_an_unknown_argument_is_an_error() -> None:
    with pytest.raises(SettingsInvalid, match="spool: Extra inputs"):
        Sessions.load(spool=1)


def test_settings_do_not_change_after_start() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Sessions.load().store = "x"  # type: ignore[misc]


def test_each_app_has_figures_of_its_own() -> None:
    one, other = Metrics(), Metrics()
    one.counter("lucid_kit_things_total", "Things", ["kind"]).labels("a").inc(3)
    one.gauge("lucid_kit_things_count", "Things now").set(2)
    one.histogram("lucid_kit_thing_seconds", "Time").observe(0.003)
    text = one.exposition().decode()
    assert 'lucid_kit_things_total{kind="a"} 3.0' in text
    assert 'lucid_kit_thing_seconds_bucket{le="0.005"} 1.0' in text
    assert "lucid_kit" not in other.exposition().decode()


@pytest.mark.parametrize("name", ["requests_total", "lucid_requests", "lucid_Kit_x_total", "lucid_kit_x-y"])
def test_a_metric_is_named_for_its_cluster_noun_and_unit(name: str) -> None:
    with pytest.raises(ValueError, match="lucid_<cluster>"):
        Metrics().counter(name, "x")

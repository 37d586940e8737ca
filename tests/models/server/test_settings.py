"""Settings of models on servers."""

import pytest

from odd.cli.options import parse_teacher, settings_of
from odd.config import ModelConfig, parse_config
from odd.config.loading import from_file
from odd.config.run import fingerprint
from odd.errors import OddError
from odd.models.registry import load_model

SERVED = {"name": "smollm2", "server": "http://gpu1:8000", "server_model": "m"}


def digest(**changes):
    return fingerprint(parse_config({"student": SERVED | changes}), [], "digest")


def test_the_student_option_takes_servers():
    given = settings_of("demo", None, "smollm2@http://gpu1:8000,http://gpu2:8000", None, None, None, None, None)
    assert (given.student.name, given.student.server) == ("smollm2", ("http://gpu1:8000", "http://gpu2:8000"))
    assert given.student.engine == "server"


@pytest.mark.parametrize(
    ("text", "context"), [("T=big@http://gpu1:8000", "none"), ("T=big@http://gpu1:8000:1c", "1c"), ("T=big:1c", "1c")]
)
def test_the_teacher_option_takes_servers_and_contexts(text, context):
    teacher = parse_teacher(text, ModelConfig.model_validate(SERVED))
    assert teacher.model is not None and teacher.context == context
    assert teacher.model.server == (("http://gpu1:8000",) if "@" in text else ())
    assert teacher.model.server_model is None


@pytest.mark.parametrize(
    "address", ["http://me:secret@gpu1:8000", "ftp://gpu1", "gpu1:8000", "http://gpu1/?key=secret"]
)
def test_addresses_with_secrets_or_other_protocols_are_refused_without_repeating_a_password(address):
    with pytest.raises(OddError, match="write it as http://HOST:PORT") as caught:
        parse_config({"student": {"server": address}})
    assert "me:secret" not in str(caught.value)


def test_the_run_does_not_depend_on_where_its_servers_are():
    same = [{"server": ["http://a:1", "http://b:2"]}, {"api_key_env": "KEY"}, {"server_rollouts": 8}]
    assert {digest(**change) for change in same} == {digest()}


@pytest.mark.parametrize("change", [{"server_model": "other"}, {"scorer": "transformers"}, {"server_top": 0}])
def test_the_run_depends_on_the_model_of_its_servers_and_on_what_scores(change):
    assert digest(**change) != digest()


def test_one_model_cannot_have_different_servers_in_different_places():
    teacher = {"name": "T", "model": SERVED | {"server": "http://gpu2:8000"}}
    with pytest.raises(OddError, match="has other servers in another place"):
        parse_config({"student": SERVED, "teachers": [teacher]})


def test_servers_and_another_engine_exclude_each_other():
    with pytest.raises(OddError, match="engine and server do not fit together"):
        parse_config({"student": {"engine": "server"}})


def test_a_missing_api_key_is_named_before_anything_is_sent(tmp_path, monkeypatch):
    monkeypatch.delenv("GPU_KEY", raising=False)
    with pytest.raises(OddError, match="set the environment variable GPU_KEY"):
        load_model(ModelConfig.model_validate(SERVED | {"api_key_env": "GPU_KEY"}), tmp_path)


def test_a_server_that_does_not_run_is_named(tmp_path):
    with pytest.raises(OddError, match=r"server http://127\.0\.0\.1:9 cannot be used \(connection failed"):
        load_model(ModelConfig(name="tiny-s", server=("http://127.0.0.1:9",)), tmp_path)


def test_settings_of_a_run_file_name_no_variable_that_would_be_sent_as_a_key():
    keyed = SERVED | {"api_key_env": "GPU_KEY"}
    tree = parse_config({"student": keyed, "teachers": [{"name": "T", "model": keyed}]}).model_dump(mode="json")
    safe = parse_config(from_file(tree))
    assert {model.api_key_env for model in safe.every_model} == {None}
    assert safe.student.server == ("http://gpu1:8000",)

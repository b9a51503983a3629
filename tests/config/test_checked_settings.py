"""Where values come from, which of them wins, and what is said of one that cannot work."""

import json
import os
import re
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from gwproactor.config.checked_settings import CheckedSettings
from gwproactor.config.examples import example_of
from gwproactor.config.fields import leaves
from gwproactor.config.logging import LoggerLevels, LoggingSettings
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import SettingsError

SECRET = "hunter2-and-no-other"


class Table(BaseModel):
    """A table with one setting that has a default and one with an example."""

    model_config = {"extra": "forbid", "frozen": True}

    number: int = 1
    path: Path | None = None
    words: tuple[str, ...] = ()
    password: SecretStr | None = None


class Sample(CheckedSettings):
    """Settings with everything that can stand in settings."""

    model_config = SettingsConfigDict(env_prefix="SAMPLE_")

    name: str = "default"
    poll_seconds: float = Field(default=60.0, gt=0)
    table: Table = Table()
    own: Table = Table(number=7)

    @model_validator(mode="after")
    def _together(self) -> "Sample":
        if self.table.number == 13 and self.name == "thirteen":
            raise ValueError("thirteen is too much")
        return self


class Needing(CheckedSettings):
    """Settings of which one is required."""

    model_config = SettingsConfigDict(env_prefix="NEEDING_")

    must: int


def refusal(**values: Any) -> str:
    """What is said of settings that cannot work."""
    with pytest.raises(SettingsError) as caught:
        Sample(**values)
    return str(caught.value)


def test_the_first_layer_that_knows_a_setting_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env").write_text("SAMPLE_NAME=env_file\nSAMPLE_TABLE__NUMBER=3\nOTHER=x\n")
    (tmp_path / "toml").write_text('name = "toml"\npoll_seconds = 4\n[table]\nwords = ["a"]\n')
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "sample_poll_seconds").write_text("5\n")

    def read(**values: Any) -> Sample:
        return Sample.load(toml_file=tmp_path / "toml", env_file=tmp_path / "env", **values)

    assert read().name == "env_file"
    assert read().table == Table(number=3, words=("a",))
    assert read().poll_seconds == 4
    assert Sample(_secrets_dir=tmp_path / "secrets").poll_seconds == 5
    monkeypatch.setenv("SAMPLE_NAME", "environment")
    assert read().name == "environment"
    assert read(name="argument").name == "argument"
    assert read(table={"number": 9}).table == Table(number=9, words=("a",))


def test_the_files_can_be_named_by_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env").write_text("sample_name=env_file\n")
    (tmp_path / "toml").write_text("poll_seconds = 4\n")
    monkeypatch.setenv("SAMPLE_ENV_FILE", str(tmp_path / "env"))
    monkeypatch.setenv("SAMPLE_CONFIG", str(tmp_path / "toml"))
    assert (Sample().name, Sample().poll_seconds) == ("env_file", 4)
    monkeypatch.setenv("SAMPLE_CONFIG", str(tmp_path / "gone"))
    assert refusal() == f"SAMPLE_CONFIG: there is no file {tmp_path / 'gone'}"


def test_a_class_may_name_its_files_and_order_its_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toml").write_text('name = "toml"\n')

    class Ordered(Sample):
        model_config = SettingsConfigDict(toml_file=tmp_path / "toml")

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return env_settings, init_settings

    assert Ordered().name == "toml"
    monkeypatch.setenv("SAMPLE_NAME", "environment")
    assert Ordered(name="argument").name == "environment"


def test_a_source_of_the_classes_own_is_named_by_its_class() -> None:
    class FromRegistry(PydanticBaseSettingsSource):
        def get_field_value(self, field: object, field_name: str) -> tuple[Any, str, bool]:
            return None, field_name, False

        def __call__(self) -> dict[str, Any]:
            return {"table": {"number": "x"}}

    class Sourced(Sample):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: Any, **__: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (FromRegistry(settings_cls),)

    with pytest.raises(SettingsError, match=r"table\.number of FromRegistry: it should be a valid"):
        Sourced()


def test_a_class_has_one_toml_file(tmp_path: Path) -> None:
    class Several(Sample):
        model_config = SettingsConfigDict(toml_file=[tmp_path / "a", tmp_path / "b"])

    with pytest.raises(SettingsError, match="Several: toml_file is one file, not several"):
        Several()


def test_of_several_files_of_variables_all_are_named(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("SAMPLE_POLL_SECONDS=1")
    second.write_text("SAMPLE_POLL_SECONDS=x")
    said = refusal(_env_file=(first, second))
    assert said.startswith(f"SAMPLE_POLL_SECONDS in {first} or {second}: ")


def test_a_class_without_a_prefix_knows_no_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(CheckedSettings):
        some_name_of_test: int = 1

    monkeypatch.setenv("CONFIG", "/nowhere")
    monkeypatch.setenv("SOME_NAME_OF_TEST", "2")
    assert Plain().some_name_of_test == 2
    monkeypatch.setenv("SOME_NAME_OF_TEST", "x")
    with pytest.raises(SettingsError, match=r"^SOME_NAME_OF_TEST: it should be a valid integer"):
        Plain()


def test_a_table_may_be_json_and_null_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_TABLE", json.dumps({"number": 5, "path": "/p"}))
    monkeypatch.setenv("SAMPLE_TABLE__PATH", "null")
    monkeypatch.setenv("SAMPLE_TABLE__WORDS", '["a", "b"]')
    monkeypatch.setenv("SAMPLE_NAME", "")
    assert Sample().table == Table(number=5, path=None, words=("a", "b"))
    assert "path" in Sample().table.model_fields_set
    assert Sample().name == "default", "an empty variable says nothing"


def test_null_is_nothing_in_toml_too(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[paths]\nname = "x"\n[events]\nfolder = "null"\n')
    found = ProactorSettings.load(toml_file=tmp_path / "a.toml").events
    assert (found.folder, found.model_fields_set) == (None, {"folder"})


def test_what_a_class_says_by_default_is_kept_where_only_something_else_is_given() -> None:
    assert Sample(own={"words": ("a",)}).own == Table(number=7, words=("a",))
    assert Sample(own=Table(words=("a",))).own == Table(number=7, words=("a",))


def test_tables_of_derived_classes_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    class MoreLevels(LoggerLevels):
        boiler: int = 40

    class Own(ProactorSettings):
        model_config = SettingsConfigDict(env_prefix="OWN_")

        logging: LoggingSettings = LoggingSettings(levels=MoreLevels(boiler=10))

    monkeypatch.setenv("OWN_LOGGING__BASE_LOG_LEVEL", "INFO")
    found = Own().logging
    assert (found.base_log_level, found.levels) == (20, MoreLevels(boiler=10))
    assert found.logger_levels()["gridworks.boiler"] == 10


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"SAMPLE_POLL_SECONDS": "soon"},
            "SAMPLE_POLL_SECONDS: it should be a valid number, unable to parse string as a number",
        ),
        ({"SAMPLE_TABLE__NUMBER": "x"}, "SAMPLE_TABLE__NUMBER: it should be a valid integer"),
        ({"sample_table__number": "x"}, "sample_table__number: it should be a valid integer"),
        ({"SAMPLE_TABLE": '{"number": "x"}'}, "SAMPLE_TABLE (number): it should be a valid"),
        ({"SAMPLE_TABLE": "x"}, "SAMPLE_TABLE: it is no JSON, which lists and tables must be"),
        ({"SAMPLE_TABLE": "[1]"}, "SAMPLE_TABLE: it must be a table"),
        ({"SAMPLE_TABLE__WORDS": "x"}, "SAMPLE_TABLE__WORDS: it is no JSON"),
        ({"SAMPLE_TABLE__WORDS": "3"}, "SAMPLE_TABLE__WORDS: it must be a list"),
        (
            {"SAMPLE_TABLE__WORDS": '["a", 3]'},
            "SAMPLE_TABLE__WORDS ([1]): it should be a valid string",
        ),
        (
            {"SAMPLE_TABLE__NUMBR": "1"},
            "SAMPLE_TABLE__NUMBR: there is no such setting; did you mean number?",
        ),
        (
            {"SAMPLE_TABLE_NUMBER": "1"},
            "SAMPLE_TABLE_NUMBER: there is no such setting; did you mean SAMPLE_TABLE__NUMBER?",
        ),
        ({"SAMPLE_ZZZZZZZZZ": "1"}, "SAMPLE_ZZZZZZZZZ: there is no such setting"),
        (
            {"SAMPLE_NAME": "thirteen", "SAMPLE_TABLE__NUMBER": "13"},
            "Sample: thirteen is too much",
        ),
    ],
)
def test_what_is_wrong_in_the_environment_is_said(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert refusal().startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("poll_seconds = 0", "poll_seconds in {file}: it should be greater than 0; example: 60.0"),
        ("[table]\nnumber = 'x'", "table.number in {file}: it should be a valid integer"),
        ("[table]\nnumbr = 1", "table.numbr in {file}: there is no such setting; did you mean"),
        ("nam = 1", "nam in {file}: there is no such setting; did you mean name?"),
        ("table = 1", "table in {file}: it must be a table"),
        ("a-b = 1", "a-b in {file}: there is no such setting"),
        ("= 1", "the settings file {file} is not TOML: "),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "x.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        Sample.load(toml_file=file)
    assert str(caught.value).startswith(said.format(file=file))


def test_what_is_wrong_in_a_file_of_variables_is_said(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SAMPLE_POLL_SECONDS=x")
    assert refusal(_env_file=file).startswith(f"SAMPLE_POLL_SECONDS in {file}: it should be")
    file.write_text("SAMPLE_POL_SECONDS=1")
    said = f"SAMPLE_POL_SECONDS in {file}: there is no such setting; did you mean SAMPLE_POLL_SECON"
    assert refusal(_env_file=file).startswith(said)
    file.write_bytes(b"SAMPLE_NAME=\xff")
    assert refusal(_env_file=file).startswith(f"the file of variables {file} cannot be read")


@pytest.mark.parametrize("line", ["not a line", "=", "'half", "A='half"])
def test_a_line_of_nobody_is_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / ".env"
    good = "# a comment\nOTHER='two\nnot a line'\nexport ANOTHER=1\nNAME_ONLY\n\n"
    file.write_text(good)
    assert Sample(_env_file=file).name == "default"
    file.write_text(f"{good}{line}\nMORE=1\n")
    assert refusal(_env_file=file) == f"line 7 of {file}: it is not NAME=VALUE"


def test_a_file_of_no_setting_in_a_folder_of_secrets_is_refused(tmp_path: Path) -> None:
    (tmp_path / "of_another_program").write_text("1")
    (tmp_path / "sample_name").write_text("n")
    assert Sample(_secrets_dir=tmp_path).name == "n"
    (tmp_path / "sample_poll_secondz").write_text("1")
    assert refusal(_secrets_dir=tmp_path) == (
        f"the file sample_poll_secondz in {tmp_path}: there is no such setting;"
        " did you mean SAMPLE_POLL_SECONDS?"
    )


@pytest.mark.parametrize("several", [False, True])
def test_a_file_that_is_named_must_be_there(tmp_path: Path, several: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    for gone in (tmp_path / "gone", tmp_path, tmp_path / "pipe"):
        said = f"there is no file of variables {gone}"
        assert refusal(_env_file=[gone] if several else gone) == said
        with pytest.raises(SettingsError, match=re.escape(said)):
            Sample.load(env_file=str(gone))
    gone = tmp_path / "gone"
    said = f"there is no folder of secrets {gone}"
    assert refusal(_secrets_dir=[gone] if several else gone) == said
    with pytest.raises(SettingsError, match=f"settings file {gone} cannot be read: No such file"):
        Sample.load(toml_file=gone)


def test_only_the_file_that_a_class_names_may_be_missing(tmp_path: Path) -> None:
    class WithFile(Sample):
        model_config = SettingsConfigDict(env_file=tmp_path / ".env")

    assert WithFile().name == "default"
    assert WithFile(_env_file="").name == "default", "as `find_dotenv` says that there is none"
    (tmp_path / ".env").write_text("SAMPLE_NAME=file")
    assert WithFile().name == "file"


@pytest.mark.parametrize(
    ("line", "example"),
    [
        ("SAMPLE_POLL_SECONDS 5", "; example: SAMPLE_POLL_SECONDS=60.0"),
        ("SAMPLE_POLL_SECONDS", "; example: SAMPLE_POLL_SECONDS=60.0"),
        ("export sample_table__words: []", '; example: sample_table__words=["text"]'),
        ("SAMPLE_NOTHING", ""),
    ],
)
def test_a_line_without_a_value_is_no_setting(tmp_path: Path, line: str, example: str) -> None:
    file = tmp_path / ".env"
    file.write_text(f"# a comment\nOTHER\n{line}\n")
    assert refusal(_env_file=file) == f"line 3 of {file}: it is not NAME=VALUE{example}"
    if example:
        file.write_text(example.removeprefix("; example: "))
        Sample(_env_file=file)


def test_a_line_of_another_program_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("OTHER\nif=x\nSAMPLE_NAME = a b \n\nNOT_SAMPLE_X=y\n")
    assert Sample(_env_file=file).name == "a b"
    assert refusal(_env_file=file, _env_file_encoding="no-such").startswith("the file of variables")


def test_what_a_setting_is_called_elsewhere_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Aliased(Sample):
        key: int = Field(default=1, validation_alias="WeatherKey")

    class Cased(Sample):
        model_config = SettingsConfigDict(env_prefix="cased_", case_sensitive=True)

    monkeypatch.setenv("WeatherKey", "x")
    with pytest.raises(SettingsError, match=r"^WeatherKey: it should be a valid integer"):
        Aliased()
    monkeypatch.setenv("CASED_NAME", "5")
    assert Cased().name == "default"
    monkeypatch.setenv("cased_poll_seconds", "x")
    with pytest.raises(SettingsError, match=r"^cased_poll_seconds: it should be a valid number"):
        Cased()
    monkeypatch.setenv("cased_nam", "x")
    with pytest.raises(SettingsError, match=r"^cased_nam: .* did you mean cased_name\?"):
        Cased()


def test_what_is_wrong_with_a_secret_in_a_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "sample_poll_seconds").write_text(SECRET)
    assert refusal(_secrets_dir=tmp_path).startswith(
        f"the file sample_poll_seconds in {tmp_path}: it should be"
    )
    (tmp_path / "sample_poll_seconds").unlink()
    (tmp_path / "sample_table").write_text(SECRET)
    said = refusal(_secrets_dir=tmp_path)
    assert said.startswith(f"the file sample_table in {tmp_path}: it is no JSON")
    assert said.endswith('; example: {"number": 1}')
    (tmp_path / "sample_table").write_text('{"number": "x"}')
    said = refusal(_secrets_dir=tmp_path)
    assert said.startswith(f"the file sample_table (number) in {tmp_path}: it should be a valid")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"settings file .* cannot be read: Is a directory"):
        Sample.load(toml_file=tmp_path)


def test_every_fault_is_told_and_not_too_many() -> None:
    assert refusal(poll_seconds=0, name=1).count("\n") == 1
    said = refusal(**{f"unknown_{number}": 1 for number in range(30)})
    assert said.endswith("\nand 20 more")


def test_faults_in_how_settings_go_together_name_those_that_were_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PROACTOR_EVENTS__FILES_FOLDER", "/f")
    monkeypatch.setenv("PROACTOR_EVENTS__STORE", "log")
    with pytest.raises(SettingsError) as caught:
        ProactorSettings()
    said = str(caught.value)
    assert said.startswith("PROACTOR_EVENTS__")
    assert "PROACTOR_EVENTS__FILES_FOLDER" in said.partition(":")[0]
    assert "PROACTOR_EVENTS__STORE" in said.partition(":")[0]


def test_what_is_required_is_named_in_every_way() -> None:
    with pytest.raises(SettingsError) as caught:
        Needing()
    assert str(caught.value) == "NEEDING_MUST, or must in a file, is required; example: 1"


@pytest.mark.parametrize(
    "values",
    [
        {"table": {"password": [SECRET]}},
        {"table": SECRET},
        {"poll_seconds": SECRET},
        {"nam": SECRET},
        {"table": {"pasword": SECRET}},
    ],
)
def test_a_value_is_never_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, values: dict[str, Any]
) -> None:
    def check() -> None:
        with pytest.raises(SettingsError) as caught:
            Sample(**values, _env_file=tmp_path / ".env")
        assert SECRET not in "".join(traceback.format_exception(caught.value))

    check()
    for name, value in values.items():
        text = json.dumps(value) if isinstance(value, dict) else value
        monkeypatch.setenv(f"SAMPLE_{name}".upper(), text)
    values = {}
    check()


def test_a_secret_is_masked() -> None:
    settings = Sample(table=Table(password=SecretStr(SECRET)))
    assert SECRET not in repr(settings) + str(settings) + settings.model_dump_json()


def test_every_setting_of_a_proactor_has_an_example_that_works() -> None:
    for path, field in leaves(ProactorSettings):
        value: Any = example_of(field, path[-1])
        files = {"store": "files"} if path[-1] in ("files_folder", "pat_watchdog_args") else {}
        for name in reversed(path):
            value = {name: value} | (files if name == path[-1] else {})
        ProactorSettings.without_environment(**value)


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=200,
    deadline=None,
)
@given(
    name=st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="="), max_size=20
    ),
    value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
)
def test_any_variable_is_taken_or_refused_with_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv(f"SAMPLE_{name}", value)
        try:
            Sample()
        except SettingsError as error:
            assert "SAMPLE_" in str(error)  # noqa: PT017 - both ends are right

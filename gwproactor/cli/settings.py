"""`gwproactor settings`: what a proactor's settings are, and where each came from.

A table is for a terminal; elsewhere rows are lines with tabs between, and `--json` gives lines of
JSON. Secrets are masked.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import click

from gwproactor.cli.framework import CONTEXT, Command
from gwproactor.cli.streams import told_of_failing_calls
from gwproactor.config.effective import EffectiveSetting, effective_settings
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import UsageError


@click.command("settings", cls=Command, context_settings=CONTEXT)
@click.option("--config", help="A TOML file with settings.  [default: $PROACTOR_CONFIG]")
@click.option("--env-file", help="A file of variables.  [default: $PROACTOR_ENV_FILE]")
@click.option("--secrets", help="A folder of files with one value each.")
@click.option("--class", "class_name", help="A derived class, as MODULE:CLASS; it is imported.")
@click.option("--json", "as_json", is_flag=True, help="Print lines of JSON.")
def settings(
    config: str | None,
    env_file: str | None,
    secrets: str | None,
    class_name: str | None,
    as_json: bool,
) -> None:
    """Show the settings of a proactor, and where each came from."""
    if env_file is not None and not Path(env_file).is_file():
        raise UsageError(f"--env-file: there is no file {env_file}")
    cls = ProactorSettings if class_name is None else settings_class(class_name)
    rows = effective_settings(cls, toml_file=config, env_file=env_file, secrets_dir=secrets)
    with told_of_failing_calls():
        for row in rows:
            click.echo(_json_line(row) if as_json else _line(row, wide=sys.stdout.isatty()))


def settings_class(name: str) -> type[ProactorSettings]:
    """The class of settings of that name. Runs what its module runs when it is imported.

    Args:
        name: `MODULE:CLASS`; the module may lie in the current folder.

    Raises:
        UsageError: There is none.
    """
    module_name, _, class_name = name.partition(":")
    if not module_name or not class_name:
        raise UsageError(f"--class {name}: write MODULE:CLASS; example: scada.settings:Settings")
    found = getattr(_imported(module_name), class_name, None)
    if not isinstance(found, type) or not issubclass(found, ProactorSettings):
        raise UsageError(
            f"--class {name}: {module_name} has no class {class_name} derived from ProactorSettings"
        )
    return found


def _imported(name: str) -> Any:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)  # as `python -m` does
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise UsageError(f"--class: the module {name} cannot be imported: {error!r}") from error


def _json_line(row: EffectiveSetting) -> str:
    shown = {"name": row.name, "value": row.value, "origin": row.origin, "variable": row.variable}
    return json.dumps(shown, ensure_ascii=False)


def _line(row: EffectiveSetting, *, wide: bool) -> str:
    value = row.value if isinstance(row.value, str) else json.dumps(row.value, ensure_ascii=False)
    shown = value if value.isprintable() else json.dumps(value)  # a line remains one
    if wide:
        return f"{row.name:<40}  {shown:<44}  {row.origin}"
    return f"{row.name}\t{shown}\t{row.origin}"

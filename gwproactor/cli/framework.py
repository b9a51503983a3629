"""How commands are parsed: a wrong call is refused without repeating what has no place in it.

A broker URL that lost its `--broker` on the way holds a password.
"""

import difflib
from collections.abc import Sequence
from typing import Any

import click

CONTEXT = {"help_option_names": ["-h", "--help"], "allow_extra_args": True}
"""Extra arguments get as far as to our own check, which does not repeat them."""


class Command(click.Command):
    """A command that takes what it says and nothing else.

    Args:
        *args: As of click.
        examples: Whole command lines that its help ends with.
        **kwargs: As of click.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, none of them wrapped: they are there to be copied."""
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{example}\n")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and refuse extra arguments, without repeating them."""
        extra = super().parse_args(ctx, args)
        if extra and not ctx.resilient_parsing:
            ctx.fail(
                f"'{self.name}' takes {self._takes()}, but {len(extra)} more"
                f" argument{'s were' if len(extra) > 1 else ' was'} given:"
                f" see {ctx.command_path} --help"
            )
        return extra

    def _takes(self) -> str:
        has_arguments = any(isinstance(each, click.Argument) for each in self.params)
        return "its arguments and options" if has_arguments else "only options"


class Commands(click.Group):
    """The commands; a name that is none of theirs is refused, without repeating it."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names."""
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            near = difflib.get_close_matches(args[0], self.commands, n=1)
            meant = (
                f"did you mean {near[0]!r}?" if near else "there are " + " and ".join(self.commands)
            )
            ctx.fail(f"No such command; {meant}")
        return super().resolve_command(ctx, args)

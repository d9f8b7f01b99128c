"""A group of commands that names the nearest one where there is none of the name given."""

from collections.abc import Sequence

import click

from cxrkit.errors import nearest


class NearestGroup(click.Group):
    """Says ``no command "shw", did you mean "show"?``."""

    def resolve_command(
        self, ctx: click.Context, args: Sequence[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names."""
        names = self.list_commands(ctx)
        if args[0] not in names and not args[0].startswith("-"):
            raise click.UsageError(f'no command "{args[0]}", {nearest(args[0], names)}', ctx)
        return super().resolve_command(ctx, list(args))

"""The commands of `headrace user` and `headrace access key`, one function each."""

from pathlib import Path
from typing import Annotated

import typer

from api.access.role import Role
from cli.console import Console
from cli.options import JsonOption, KeyOption, ProjectOption, StoreOption, UrlOption, output_console

users = typer.Typer(no_args_is_help=True, help="Make users of the console, and change or remove them.")
access_keys = typer.Typer(no_args_is_help=True, help="Make access keys for programs, list them, and revoke them.")
accesses = typer.Typer(no_args_is_help=True, help="Access of programs to the API.")
accesses.add_typer(access_keys, name="key")

UserName = Annotated[str, typer.Argument(help="The name of the user")]
KeyName = Annotated[str, typer.Argument(help="The name of the access key")]
RoleOption = Annotated[Role, typer.Option("--role", help="viewer, operator or admin")]


@users.command("list")
def user_list(
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List the users, their roles, and whether they have set a password."""
    from cli.accounts import Place, list_users
    from cli.location import DataLocation

    place = Place(DataLocation(project, store, url, key), json, output_console(), Console(stderr=True))
    raise typer.Exit(list_users(place))


@users.command("add")
def user_add(
    name: UserName,
    role: RoleOption = "viewer",
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Make a user, and print a link by which the user sets a password, once and within a day.

    For example `headrace user add ann --role operator`. No command takes a password.
    """
    from cli.accounts import Place, add_user
    from cli.location import DataLocation

    place = Place(DataLocation(project, store, url, key), json, output_console(), Console(stderr=True))
    raise typer.Exit(add_user(place, name, role))


@users.command("remove")
def user_remove(
    name: UserName,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Remove a user, which ends the user's logins at once."""
    from cli.accounts import Place, remove_user
    from cli.location import DataLocation

    place = Place(DataLocation(project, store, url, key), json, output_console(), Console(stderr=True))
    raise typer.Exit(remove_user(place, name))


@users.command("role")
def user_role(
    name: UserName,
    role: Annotated[Role, typer.Argument(help="viewer, operator or admin")],
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Give a user another role, which ends the user's logins at once."""
    from cli.accounts import Place, give_role
    from cli.location import DataLocation

    place = Place(DataLocation(project, store, url, key), json, output_console(), Console(stderr=True))
    raise typer.Exit(give_role(place, name, role))


@users.command("reset")
def user_reset(
    name: UserName,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Void a user's password, end the logins, and print a link by which the user sets a new one."""
    from cli.accounts import Place, reset_user
    from cli.location import DataLocation

    place = Place(DataLocation(project, store, url, key), json, output_console(), Console(stderr=True))
    raise typer.Exit(reset_user(place, name))


@access_keys.command("list")
def key_list(
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List the access keys: their roles, and when they were last used. The keys themselves are not stored."""
    from cli.accounts import Place, list_keys
    from cli.location import DataLocation

    place = Place(DataLocation(project, store, url, key), json, output_console(), Console(stderr=True))
    raise typer.Exit(list_keys(place))


@access_keys.command("add")
def key_add(
    name: KeyName,
    role: RoleOption = "viewer",
    personal: Annotated[
        bool, typer.Option("--personal", help="Show it personal data, which is masked otherwise")
    ] = False,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Make an access key and print it: this once.

    For example `headrace access key add dashboard --role viewer`. A program sends it as `Authorization: Bearer KEY`.
    """
    from cli.accounts import Place, add_key
    from cli.location import DataLocation

    place = Place(DataLocation(project, store, url, key), json, output_console(), Console(stderr=True))
    raise typer.Exit(add_key(place, name, role, personal=personal))


@access_keys.command("remove")
def key_remove(
    name: KeyName,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Revoke an access key, at once."""
    from cli.accounts import Place, remove_key
    from cli.location import DataLocation

    place = Place(DataLocation(project, store, url, key), json, output_console(), Console(stderr=True))
    raise typer.Exit(remove_key(place, name))

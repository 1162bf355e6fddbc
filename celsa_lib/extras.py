"""Parts of the library that need an extra: what is missing is reported, with the command for it."""

from collections.abc import Callable

import lazy_loader

from celsa_lib.errors import ConfigError


def attach(
    package: str, submod_attrs: dict[str, list[str]], extra: str, what: str
) -> tuple[Callable, Callable, list[str]]:
    """`lazy_loader.attach` whose names raise ConfigError where a package of `extra` is missing.

    `what` needs it, in the words of the message.
    """
    attached, listed, names = lazy_loader.attach(package, submod_attrs=submod_attrs)

    def found(name: str):
        try:
            return attached(name)
        except ModuleNotFoundError as error:
            raise ConfigError(f'{what} need {error.name}: pip install "celsa[{extra}]"') from error

    return found, listed, names

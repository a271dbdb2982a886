"""Options that must fit together.

In: a configuration whose options are each good alone. Out: the key that has to change, and why. Rule: each message
says which of two options is to be set or removed.
"""

from collections.abc import Iterator

from nqosd.config.options import Config


def contradictions(config: Config) -> Iterator[tuple[str, str]]:
    """Give (section.option, message) for each pair of options that don't fit."""
    yield from _sources(config)
    yield from _remotes(config)
    yield from _server(config)


def _sources(config: Config) -> Iterator[tuple[str, str]]:
    options = config.kubernetes
    if options.source == "manifests":
        if not options.manifests:
            yield "kubernetes.source", 'is "manifests", but kubernetes.manifests names no file or folder'
    elif options.manifests:
        yield "kubernetes.manifests", 'has no effect unless kubernetes.source is "manifests"'


def _remotes(config: Config) -> Iterator[tuple[str, str]]:
    options = config.northbound
    if bool(options.private_key) != bool(options.certificate):
        given, absent = ("private_key", "certificate") if options.private_key else ("certificate", "private_key")
        yield f"northbound.{given}", f"has no effect without northbound.{absent}; set both or none"
    for key, remotes in (("northbound.remotes", options.remotes), ("stats.southbound", config.stats.southbound)):
        secured = [each for each in remotes if each.startswith("ssl:")]
        for name in ("private_key", "certificate", "ca_certificate") if secured else ():
            if not getattr(options, name):
                yield key, f"{secured[0]} needs northbound.{name}"


def _server(config: Config) -> Iterator[tuple[str, str]]:
    options = config.http
    if bool(options.private_key) != bool(options.certificate):
        given, absent = ("private_key", "certificate") if options.private_key else ("certificate", "private_key")
        yield f"http.{given}", f"has no effect without http.{absent}; set both or none"

"""`docs/configuration.md`: the reference of every option.

In: the options as `tools.docs.options` reads them. Out: the page. Rule: the page says what `config/nqosd.toml` says.
"""

from collections.abc import Iterator

from tools.docs.options import Entry, introduction, sections

TOP = """\
# Configuration

The daemon reads one TOML file, `/etc/nqosd/nqosd.toml`, or the one that `--config` names. Without a file every option
has its default, which suits a daemon beside its Northbound database. `config/nqosd.toml` in the source is the same
reference as a file to start from; `nqosd.toml(5)` is the same as a man page.
"""
CHECKING = """\
## Checking a file

```console
$ printf '[northbound]\\nremotes = ["unix:/run/ovn/ovnnb_db.sock"]\\n' > nqosd.toml
$ nqosd check-config --config nqosd.toml
nqosd.toml: ok
$ printf '[northbound]\\nprobe_intervall = 5\\n' > wrong.toml
$ nqosd check-config --config wrong.toml; echo "exit code $?"
wrong.toml:2: northbound.probe_intervall: …
exit code 78
```
"""


def page() -> str:
    """Write the page."""
    return "\n".join(_parts())


def _parts() -> Iterator[str]:
    yield TOP
    for paragraph in introduction()[1:]:  # the first one is about the file's own layout
        yield f"{paragraph}\n"
    yield CHECKING
    for section in sections():
        yield f"## [{section.name}]\n\n{section.meaning}\n"
        for entry in section.entries:
            yield f"### {', '.join(name for name, _default in entry.defaults)}\n"
            yield f"{entry.text}\n"
            yield f"{_facts(entry)}\n"


def _facts(entry: Entry) -> str:
    defaults = ", ".join(f"`{name} = {default}`" for name, default in entry.defaults)
    change = "changes at `systemctl reload nqosd`" if entry.reloadable else "needs a restart"
    return f"*Default:* {defaults}; {change}."

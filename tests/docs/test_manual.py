"""The man pages are well-formed, and a person finds in them what the code has."""

import re
import subprocess

import attrs
import pytest

from nqosd.cli import parser as cli_parser
from nqosd.commands.kubectl_table import KUBECTL
from nqosd.commands.table import NQOSD, Program
from nqosd.config.options import SECTIONS
from tests.checkout import ROOT
from tools.docs import roff
from tools.docs.manual import _commands

PAGES = ("docs/man/nqosd.8", "docs/man/nqosd.toml.5", "docs/man/kubectl-nqos.1")


def rendered(page: str) -> str:
    """Format a page as man does, with every warning on standard error."""
    groff = ["groff", "-Kutf8", "-man", "-Tutf8", "-ww", "-P-cbou", str(ROOT / page)]
    done = subprocess.run(groff, check=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_groff_has_no_complaint(page: str) -> None:
    """Formatting the page gives no warning of any kind."""
    assert "NAME" in rendered(page)


@pytest.mark.parametrize(("page", "program"), [(PAGES[0], NQOSD), (PAGES[2], KUBECTL)], ids=["nqosd", "kubectl nqos"])
def test_each_command_is_described(page: str, program: Program) -> None:
    """The page of a program has every command, each with its options."""
    text = rendered(page)
    for name, parser in _commands(cli_parser(program)):
        assert f"\n   {name}\n" in text
        for option in parser._option_string_actions:
            assert option in ("-h", "--help") or option in text


def test_what_may_be_left_out_is_marked() -> None:
    """The synopsis has what may be left out in brackets, and what may stand several times with an ellipsis."""
    words = " ".join(rendered(PAGES[0]).partition("SYNOPSIS")[2].partition("DESCRIPTION")[0].split())
    assert "nqosd compile PATH ... [--zone Z]" in words
    assert (
        "nqosd explain --pod NAMESPACE/NAME --to ADDRESS|pod/NAMESPACE/NAME [--proto tcp|udp|sctp|icmp|other]" in words
    )
    assert re.search(r"nqosd get policies\|selections\|rows\|networks\|policy \[NAME ?\.\.\.\] \[-n NAMESPACE\]", words)


def test_each_option_is_described() -> None:
    """nqosd.toml(5) has every section, and every option with its default."""
    text = rendered(PAGES[1])
    for name, section in SECTIONS.items():
        assert f"\n[{name}]\n" in text
        for field in attrs.fields(section):
            assert f"{field.name} = " in text


def test_roff_takes_text_literally() -> None:
    """Dots, quotes, backslashes and hyphens of a text appear as they are, and backticks make bold."""
    text = ".start 'quoted' \"twice\" back\\slash --option `code`"
    source = "\n".join([*roff.title("x", 1, "0"), *roff.heading("X"), *roff.paragraph(text)])
    groff = ["groff", "-Kutf8", "-man", "-Tascii", "-ww", "-P-cbou"]
    done = subprocess.run(groff, input=source + "\n", check=True, capture_output=True, text=True, timeout=60)
    assert text.replace("`", "") in done.stdout
    assert done.stderr == ""

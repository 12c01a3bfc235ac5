"""Claims about finding backends, and about the factory that uses them."""

from __future__ import annotations

import sys
import types

import pytest
from attrs import evolve

from memkit import providers
from memkit.config import Settings
from memkit.errors import ConfigurationError
from memkit.factory import create_async_memory_manager, create_memory_manager
from memkit.providers import Provider, find_provider, known_backends, register_backend

CANARY = "CaNaRy"


def provider(name: str) -> Provider:
    return Provider(name, lambda settings: ("sync", settings), lambda settings: ("async", settings))


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    monkeypatch.setattr(providers, "_registered", {})


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Install a distribution that offers a backend, in a directory of its own."""

    def install(distribution: str, name: str, value: str, source: str | None = None) -> None:
        site = tmp_path / distribution
        info = site / f"{distribution.replace('-', '_')}-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[memkit.backends]\n{name} = {value}\n")
        module = value.partition(":")[0]
        if source is not None:
            (site / f"{module}.py").write_text(source)
        monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.syspath_prepend(site)

    return install


GOOD = """
from memkit.providers import Provider
provider = Provider({name!r}, lambda s: ("sync", s), lambda s: ("async", s))
"""


def refused(name: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        find_provider(name)
    return caught.value


def test_registers_and_finds():
    """A registered backend is found, chosen by settings, and makes managers in both colours."""
    mine = provider("mine")
    register_backend(mine)
    register_backend(mine)
    assert find_provider("mine") is mine
    assert "mine" in known_backends()
    colour, settings = create_memory_manager({"MEMKIT_BACKEND": "mine"}, namespace="x")
    assert (colour, settings.backend, settings.namespace) == ("sync", "mine", "x")
    assert create_async_memory_manager(Settings(backend="mine"))[0] == "async"


def test_a_backend_of_its_own_has_any_url():
    """The URL of a registered backend is its own affair, and its password is still not shown."""
    register_backend(provider("mine"))
    settings = Settings(backend="mine", url=f"mine://u:{CANARY}@h?x#y")
    assert settings.url == f"mine://u:{CANARY}@h?x#y"
    assert CANARY not in f"{settings!r} {settings.describe()}"
    assert Settings(backend="mine", url=f"redis://:{CANARY}@h").target().password == CANARY


def test_a_taken_name_is_refused():
    """Another backend of the same name needs replace=True."""
    register_backend(provider("mine"))
    with pytest.raises(ConfigurationError, match="'mine' is registered already"):
        register_backend(provider("mine"))
    other = provider("mine")
    register_backend(other, replace=True)
    assert find_provider("mine") is other


@pytest.mark.parametrize("name", ["redis", "memory", "null", "embedded"])
def test_own_names_are_not_given_away(name, offer, monkeypatch):
    """Neither registration nor a distribution takes the place of one of memkit's own backends."""
    for replace in (False, True):
        with pytest.raises(ConfigurationError, match="memkit's own"):
            register_backend(provider(name), replace=replace)
    offer("evil-memory", name, "evil_backend:provider", "raise SystemExit")
    own = types.ModuleType(providers.OWN[name])
    own.provider = provider(name)
    monkeypatch.setitem(sys.modules, providers.OWN[name], own)
    assert find_provider(name) is own.provider


@pytest.mark.parametrize("name", ["", "Mine", "1x", "a b", "a:b", "x" * 65, "é", "a\n"])
def test_a_malformed_name_is_refused(name):
    """The name of a backend is plain lower-case text."""
    with pytest.raises(ConfigurationError, match="lower-case"):
        register_backend(provider(name))


def test_an_unknown_name_is_refused():
    """The error lists what is known and suggests the nearest; it does not repeat the name."""
    register_backend(provider("postgres"))
    error = refused("postgers")
    assert "did you mean 'postgres'?" in str(error)
    assert "known are embedded, memory, null, postgres, redis" in str(error)
    assert CANARY not in str(refused(CANARY))


def test_finds_a_distribution(offer):
    """A backend of an installed distribution is known, and its code is loaded only when it is asked for."""
    offer("far-memory", "far", "far_backend:provider", GOOD.format(name="far"))
    assert "far" in known_backends()
    assert Settings(backend="far").backend == "far"
    assert "far_backend" not in sys.modules
    assert find_provider("far").name == "far"
    assert create_memory_manager(backend="far", settings={})[0] == "sync"


def test_a_registered_backend_goes_before_a_distribution(offer):
    """What the program registers is found before what is installed."""
    offer("far-memory", "far", "far_backend:provider", "raise SystemExit")
    mine = provider("far")
    register_backend(mine)
    assert find_provider("far") is mine


def test_two_distributions_with_one_name_are_refused(offer):
    """Neither wins: both are named."""
    offer("far-memory", "far", "far_backend:provider", GOOD.format(name="far"))
    offer("other-memory", "far", "other_backend:provider", GOOD.format(name="far"))
    assert "several distributions, far-memory, other-memory" in str(refused("far"))


@pytest.mark.parametrize(
    ("source", "cause"),
    [(None, ModuleNotFoundError), (f"raise RuntimeError({CANARY!r})", RuntimeError), ("x = 1", AttributeError)],
)
def test_a_broken_distribution_is_named(offer, source, cause):
    """A backend that cannot be imported is refused by the name of its distribution, and the cause is kept."""
    offer("far-memory", "far", "far_backend:provider", source)
    error = refused("far")
    assert "of distribution far-memory cannot be imported" in str(error)
    assert CANARY not in str(error)
    assert isinstance(error.__cause__, cause)


@pytest.mark.parametrize("source", ["provider = 1", GOOD.format(name="near")])
def test_something_else_than_the_provider_is_refused(offer, source):
    """What an entry point leads to must be a provider of that name."""
    offer("far-memory", "far", "far_backend:provider", source)
    assert "of distribution far-memory is not a memkit Provider of that name" in str(refused("far"))


def test_providers_are_values():
    """A provider is equal to its copy, and a copy with another name is another backend."""
    mine = provider("mine")
    assert evolve(mine) == mine
    assert evolve(mine, name="other") != mine

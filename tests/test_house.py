"""How the house is built: names, floors, light imports, twins."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import memkit
from memkit.backends.base import IAsyncBackend, IBackend
from memkit.faces.admin import AsyncMemoryAdmin, MemoryAdmin
from memkit.faces.history import AsyncMessageHistory, AsyncTurn, MessageHistory, Turn
from memkit.faces.kit import AsyncMemoryKit, MemoryKit
from memkit.faces.manager import AsyncMemoryManager, MemoryManager
from memkit.interfaces import (
    IAsyncMemoryAdmin,
    IAsyncMemoryManager,
    IAsyncMessageHistory,
    IAsyncTurn,
    IMemoryAdmin,
    IMemoryManager,
    IMessageHistory,
    ITurn,
)

ROOT = Path(memkit.__file__).parent
MODULES = {path: ".".join(path.relative_to(ROOT.parent).with_suffix("").parts) for path in sorted(ROOT.rglob("*.py"))}

# A module imports only from floors that stand before its own; the longest prefix decides.
FLOORS = [
    ("memkit", "memkit.errors", "memkit.clock", "memkit.ids", "memkit.durations", "memkit.shaping"),
    (
        "memkit.records",
        "memkit.results",
        "memkit.values",
        "memkit.providers",
        "memkit.backends.redis.target",
        "memkit.sealing",
    ),
    ("memkit.inputs", "memkit.setting_kinds"),
    ("memkit.policy", "memkit.placing", "memkit.commands", "memkit.codec"),
    ("memkit.retrying", "memkit.config"),
    ("memkit.flows", "memkit.embedded"),
    ("memkit.interfaces", "memkit.backends"),
    ("memkit.faces", "memkit.factory"),
    ("memkit.backends.inmemory", "memkit.backends.redis", "memkit.backends.null"),
    ("memkit.backends.embedded",),
    ("memkit.testing", "memkit.cli", "memkit.converters"),
]


def floor_of(module):
    """Return the number of the floor a module stands on."""
    found = [
        (len(prefix), number)
        for number, prefixes in enumerate(FLOORS)
        for prefix in prefixes
        if module == prefix or (module.startswith(prefix + ".") and prefix != "memkit")
    ]
    return max(found)[1]


def imported(path):
    """Return the modules of memkit that a module imports when it is loaded."""
    name = MODULES[path].removesuffix(".__init__")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [node for node in tree.body if not isinstance(node, ast.If)]
    found = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("memkit"):
            found.add(node.module)
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names if alias.name.startswith("memkit"))
    return found - {name}


@pytest.mark.parametrize("path", MODULES, ids=MODULES.values())
def test_imports_only_from_floors_below(path):
    """A module imports only from its own floor or from lower ones."""
    own = floor_of(MODULES[path].removesuffix(".__init__"))
    too_high = {name for name in imported(path) if floor_of(name) > own}
    assert not too_high


def test_public_names_are_one_list():
    """What memkit exports is its `__all__`, every name loads, and dir shows them."""
    assert sorted(memkit.__all__) == sorted(set(memkit.__all__))
    assert set(memkit.__all__) == set(memkit._HOME_OF)
    for name in memkit.__all__:
        assert getattr(memkit, name) is not None
    assert set(memkit.__all__) <= set(dir(memkit))
    with pytest.raises(AttributeError):
        _ = memkit.no_such_name


def test_import_is_light():
    """Importing memkit loads no redis, no framework and no codec, and takes under 100 ms more than Python itself."""
    code = (
        "import sys, time; start = time.perf_counter(); import memkit; took = time.perf_counter() - start;"
        "print(took, [name for name in ('redis', 'cattrs', 'msgpack', 'asyncio', 'rich') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    took, loaded = out.split(" ", 1)
    assert loaded.strip() == "[]"
    assert float(took) < 0.1


def test_records_load_without_a_server_client():
    """Records, the in-memory manager and the settings work without loading redis."""
    code = "import sys; from memkit import InMemoryManager, Settings, UserMessage; print('redis' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False"


def _verbs(cls):
    rename = {"aclose": "close", "__aenter__": "__enter__", "__aexit__": "__exit__"}
    members = {name: value for name, value in vars(cls).items() if inspect.isfunction(value)}
    return {rename.get(name, name): inspect.signature(value).parameters.keys() for name, value in members.items()}


@pytest.mark.parametrize(
    ("sync", "asynchronous"),
    [
        (IMemoryManager, IAsyncMemoryManager),
        (MemoryManager, AsyncMemoryManager),
        (IBackend, IAsyncBackend),
        (IMessageHistory, IAsyncMessageHistory),
        (MessageHistory, AsyncMessageHistory),
        (ITurn, IAsyncTurn),
        (Turn, AsyncTurn),
        (IMemoryAdmin, IAsyncMemoryAdmin),
        (MemoryAdmin, AsyncMemoryAdmin),
        (MemoryKit, AsyncMemoryKit),
    ],
)
def test_twins_have_the_same_methods(sync, asynchronous):
    """Sync and async twins have the same methods with the same parameters, in the same order."""
    assert list(_verbs(sync).items()) == list(_verbs(asynchronous).items())


def test_nothing_revives_code_from_data():
    """No module uses pickle or marshal, and only one runs code that it makes: of the fields of classes, not of data."""
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\b(pickle|marshal|shelve)\b", text), path
        assert len(re.findall(r"\b(eval|exec)\(", text)) == (path == ROOT / "codec" / "compiled.py"), path


def test_a_url_loads_no_client():
    """Managers over a server or a cluster talk to it themselves; redis-py is loaded for sentinels and clients alone."""
    made = "RedisMemoryManager('redis://127.0.0.1:1'), AsyncRedisMemoryManager('redis+cluster://127.0.0.1:1')"
    code = f"import sys; from memkit import *; {made}; print('redis' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False"


def test_errors_are_one_tree():
    """Every error of memkit stands in the tree that the docstring draws, under the base that it says."""
    from memkit import errors  # noqa: PLC0415 - only here

    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.MemkitError)
        assert name in (errors.__doc__ or "")


def test_errors_survive_a_process_boundary():
    """Every error comes back from pickling with its text and fields, so that process pools can raise it."""
    import pickle  # noqa: PLC0415 - what a process pool does

    from memkit import errors  # noqa: PLC0415 - only here

    made = [
        errors.InvalidInputError("limit", "is wrong"),
        errors.ConfigurationError(["one", "two"]),
        errors.MissingExtraError("it", "cli"),
        errors.MemoryNotFoundError("it"),
        errors.VersionConflictError(1, 2),
        errors.OwnerMismatchError(),
        errors.CorruptRecordError("damaged", "key", "id"),
        errors.ServerError("ERR", "no"),
        errors.OutcomeUnknownError("store", ["a"]),
        errors.OutcomeUnknownError("append", ["a", "b"]),
        errors.ConversationExistsError("c"),
        errors.RevisionConflictError(1, 2),
        errors.WindowError("last", 1, 2, "the newest group"),
        errors.TurnHeldError(1.5),
        errors.TurnLostError(),
        errors.ErasedError(),
        errors.ImportFormatError(3, "is damaged"),
    ]
    for error in made:
        back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))
    batch = errors.BatchError({2: errors.OutcomeUnknownError("store", ["a"])}, {0: "x", 1: "y"})
    back = pickle.loads(pickle.dumps(batch))  # noqa: S301 - our own bytes
    assert (str(back), back.stored, back.errors[2].ids) == (str(batch), batch.stored, ("a",))

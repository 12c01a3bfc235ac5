"""No password and no message text in anything that memkit says: str, repr, errors, tracebacks, logs."""

from __future__ import annotations

import copy
import logging
import pickle
import socket
import traceback
import uuid

import pytest
from attrs import evolve

from memkit import (
    AsyncRedisMemoryManager,
    Fact,
    MemkitError,
    MemoryInput,
    OutcomeUnknownError,
    RedisMemoryManager,
    RetryPolicy,
    Settings,
    UserMessage,
    WorkingMemory,
    create_async_memory_manager,
    create_memory_manager,
)
from memkit.backends.redis import driver
from memkit.testing.proxy import CUT_REPLY, DROP_REPLY, REFUSE, RESET, SILENT, FaultProxy
from memkit.testing.servers import Server, make_certificates, supports_tls
from tests.managers import LTM, STM, WM, InLoop

PASSWORD = "canary-password-7c1f"  # noqa: S105 - of servers of these tests
TEXT = "canary-message-9b2e"
HASTY = RetryPolicy(attempts=2, deadline=0.5, initial=0.001, cap=0.01)


class Watch:
    """Collects everything that is said, and makes managers to say it."""

    def __init__(self, colour, caplog):
        self.said = []
        self.errors = []
        self._colour = colour
        self._caplog = caplog
        self._open = []

    def manager(self, url, **options):
        options = {"retry": HASTY, "on_retry": self.hear, "attempt_timeout": 0.1, **options}
        made = (RedisMemoryManager if self._colour == "sync" else AsyncRedisMemoryManager)(url, **options)
        return self.keep(made)

    def keep(self, made):
        kept = made if self._colour == "sync" else InLoop(made)
        self._open.append(kept)
        self.hear(made)
        self.hear(made.backend)
        self.hear(vars(made.backend))
        return kept

    def hear(self, thing):
        self.said += [str(thing), repr(thing), f"{thing}"]

    def fails(self, act, *arguments, kind=MemkitError):
        """Hear everything that the error of a call says, also after it was pickled and copied."""
        with pytest.raises(kind) as caught:
            act(*arguments)
        error = caught.value
        self.errors.append(type(error).__name__)
        for each in chain_of(error):
            self.hear(each)
            self.hear(each.args)
            self.hear(vars(each))
        self.said += traceback.format_exception(error)
        for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 - ours
            self.hear(other)
        return error

    def check(self, *expected):
        """Both canaries were said 0 times; and the errors were those that the test is about."""
        for manager in self._open:
            manager.close()
            self.hear(manager)
        heard = "\n".join([*self.said, self._caplog.text, *(str(vars(record)) for record in self._caplog.records)])
        assert (heard.count(PASSWORD), heard.count(TEXT)) == (0, 0)
        assert set(self.errors) == set(expected)


def chain_of(error):
    """The error and those behind it, as far as a traceback shows them."""
    seen = []
    while error is not None:
        seen.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return seen


@pytest.fixture(params=["sync", "async"])
def watch(request, caplog):
    caplog.set_level(logging.DEBUG)
    return Watch(request.param, caplog)


@pytest.fixture(scope="module")
def server(binary):
    with Server(binary("valkey"), {"requirepass": PASSWORD}) as server:
        yield server


@pytest.fixture
def proxy(server):
    with FaultProxy("127.0.0.1", server.port) as proxy:
        yield proxy


@pytest.fixture
def name():
    return uuid.uuid4().hex


def url_of(port, user="", options=""):
    return f"redis://{user}:{PASSWORD}@127.0.0.1:{port}/0{options}"


def inputs(name):
    return [
        MemoryInput(name, WM, data=[WorkingMemory(TEXT, id="x")]),
        MemoryInput(name, STM, data=[UserMessage(TEXT, metadata={TEXT: TEXT}, id="x")]),
        MemoryInput(name, LTM, data=[Fact(TEXT, TEXT, id="x")]),
    ]


def test_success(watch, server, name):
    """Nothing is said while everything works; the calls themselves are what is looked for in the logs."""
    manager = watch.manager(url_of(server.port))
    for question in inputs(name):
        manager.store(question)
        assert TEXT in str(manager.retrieve(MemoryInput(name, question.memory_type)))
        manager.update(evolve(question, memory_id="x"))
        manager.delete(MemoryInput(name, question.memory_type, memory_id="x"))
    watch.check()


def test_refused_connection(watch, name):
    """Neither password nor text where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        for user in ("", "ada"):
            manager = watch.manager(url_of(unused.getsockname()[1], user))
            for question in inputs(name):
                watch.fails(manager.store, question)
            watch.fails(manager.ping)
    watch.check("BackendUnavailableError")


@pytest.mark.parametrize("protocol", [2, 3])
def test_wrong_password(watch, server, valkey, name, protocol):
    """Neither the password that was wrong, nor one that was not asked for."""
    for port, login in (
        (server.port, f"ada:{PASSWORD}"),
        (server.port, f":{PASSWORD}x"),
        (valkey.port, f"ada:{PASSWORD}"),
    ):
        manager = watch.manager(f"redis://{login}@127.0.0.1:{port}/0?protocol={protocol}")
        for question in inputs(name):
            watch.fails(manager.store, question)
    watch.check("AuthenticationError")


@pytest.mark.parametrize("fault", [DROP_REPLY, RESET, CUT_REPLY, SILENT, REFUSE], ids=lambda fault: fault.name)
def test_lost_replies(watch, proxy, name, fault):
    """Neither in errors about writes whose outcome is unknown, nor about reads."""
    manager = watch.manager(url_of(proxy.port))
    # The longest life first: what follows finds the conversation on the index already.
    for question in reversed(inputs(name)):
        manager.store(question)
    proxy.inject(fault, times=None)
    for question in inputs(name):
        error = watch.fails(manager.store, question)
        assert isinstance(error, OutcomeUnknownError)
        watch.fails(manager.update, evolve(question, memory_id="x"))
        watch.fails(manager.retrieve, MemoryInput(name, question.memory_type))
    watch.check("OutcomeUnknownError", "BackendUnavailableError")


def test_damaged_records(watch, server, name):
    """A damaged record is reported by its place and id, without what is left of its text."""
    manager = watch.manager(url_of(server.port))
    reporter = watch.manager(url_of(server.port), on_corrupt="report")
    for question in inputs(name):
        manager.store(question)
    with server.client() as client:
        client.connection_pool.connection_kwargs["decode_responses"] = False
        damage_all(client, name)
    for question in inputs(name):
        where = MemoryInput(name, question.memory_type)
        watch.fails(manager.retrieve, where)
        watch.fails(manager.update, evolve(question, memory_id="x"))
        found = reporter.retrieve(where)
        assert len(found.damaged) == 1
        watch.hear(found.damaged)
    watch.check("CorruptRecordError")


def damage_all(client, name):
    """Cut the last bytes off every record and put others there; the text stays in it."""
    damaged = 0
    for key in list(client.scan_iter(f"*{name}*".encode(), count=1000)):
        match client.type(key), key.rpartition(b":")[2]:
            case b"string", b"wm":
                client.set(key, spoilt(client.get(key)))
            case b"list", b"log":
                client.lset(key, 0, spoilt(client.lindex(key, 0)))
            case b"hash", b"ltm":
                for field, value in client.hgetall(key).items():
                    client.hset(key, field, spoilt(value))
            case _:
                continue
        damaged += 1
    assert damaged == 3


def spoilt(wire):
    assert TEXT.encode() in wire
    return wire[:-1] + b"\xc1" + TEXT.encode()


BAD_URLS = [
    "redis://:{}@127.0.0.1:port/0",
    "redis://:{}@127.0.0.1:6379/zero",
    "redis://:{}@[::1/0",
    "redis://user:{}@/0",
    "redis://127.0.0.1/0?password={}&unknown=1",
    "redis://127.0.0.1/0?passwort={}",
    "redos://:{}@127.0.0.1/0",
    "redis://:pa/ss?{}@127.0.0.1/0",
    "redis://:{} x@127.0.0.1/0",
    "redis+sentinel://:{}@127.0.0.1",
    "{}",
    "://{}",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_bad_urls(watch, url):
    """A URL that is wrong is not repeated where its password could be."""
    bad = url.format(PASSWORD)
    for make in (RedisMemoryManager, AsyncRedisMemoryManager, create_memory_manager, create_async_memory_manager):
        watch.fails(make, bad)
    environ = {"MEMKIT_BACKEND": "redis", "MEMKIT_URL": bad}
    watch.fails(create_memory_manager, environ)
    watch.check("ConfigurationError")


def test_settings(watch, server):
    """Settings that hold a password do not show it, and neither does the manager that is made of them."""
    environ = {"ENVIRONMENT": "production", "REDIS_URL": url_of(server.port, "default")}
    settings = Settings.from_environ(environ)
    watch.hear(settings)
    watch.hear(settings.target())
    made = (create_memory_manager if watch._colour == "sync" else create_async_memory_manager)(environ)
    manager = watch.keep(made)
    assert manager.ping()
    watch.check()


def test_wrong_type(watch, server, name):
    """An error reply of the server about our keys repeats nothing of what was sent."""
    manager = watch.manager(url_of(server.port))
    for question in inputs(name):
        manager.store(question)
    with server.client() as client:
        for key in list(client.scan_iter(f"*{name}*", count=1000)):
            client.delete(key)
            client.geoadd(key, (1, 2, "other"))
    watch.fails(manager.store, inputs(name)[1])
    watch.fails(manager.store, inputs(name)[2])
    watch.check("ServerError")


@pytest.mark.parametrize("kind", ["valkey", "redis7", "redis62"])
def test_unknown_command(watch, servers, name, kind, monkeypatch):
    """A server that does not know a command repeats its arguments, the text among them; the error does not."""
    server = servers(kind)
    manager = watch.manager(f"redis://127.0.0.1:{server.port}/0")
    for question in inputs(name):
        with monkeypatch.context() as patch:
            patch.setattr(driver, "_BUILDERS", {kind: renamed(build) for kind, build in driver._BUILDERS.items()})
            error = watch.fails(manager.store, question)
        assert error.code == "ERR"
    watch.check("ServerError")


def renamed(real):
    """Send each call under the name of a command that no server has, its text in front."""

    def build(command, token, wiring):
        made = real(command, token, wiring)
        ((_, *arguments),) = made.commands
        made.commands = (("NOSUCHCOMMAND", *reversed(arguments)),)
        return made

    return build


def test_refused_input(watch, server, name):
    """Input that is refused before anything is sent is named by its path, not by its content."""
    manager = watch.manager(url_of(server.port), max_record_bytes=1000)
    bad = [
        UserMessage(TEXT * 300),
        UserMessage(f"\ud800{TEXT}"),
        UserMessage(TEXT, metadata={"a": {TEXT}}),
        UserMessage(TEXT, metadata={"a": 2**70, "b": TEXT}),
        UserMessage(TEXT, metadata={1: TEXT}),
        UserMessage(5, metadata={"b": TEXT}),
        UserMessage([TEXT]),
        TEXT,
        {"role": "user", "content": TEXT},
    ]
    for record in bad:
        watch.fails(manager.store, MemoryInput(name, data=[record]))
    watch.fails(manager.store, {"conversation_id": name, "data": TEXT})
    watch.fails(manager.store, MemoryInput(name, WM, data=[UserMessage(TEXT)], metadata={"x": object()}))
    watch.check("InvalidRecordError", "InvalidInputError")


def test_tls(watch, binary, name, tmp_path):
    """Refused certificates and missing files show neither."""
    program = binary("redis7")
    if not supports_tls(program):
        pytest.skip("this redis-server was built without TLS")
    with Server(program, {"requirepass": PASSWORD}, tls=make_certificates(tmp_path / "a")) as server:
        for options in ("", f"?ca_file={make_certificates(tmp_path / 'b').ca}", f"?ca_file={tmp_path}/none"):
            manager = watch.manager(url_of(server.port, "default", options).replace("redis:", "rediss:"))
            watch.fails(manager.store, inputs(name)[1])
        watch.fails(watch.manager(url_of(server.port)).store, inputs(name)[1])
    watch.check("BackendUnavailableError")


def test_groups(watch, name):
    """Sentinels and clusters that are not there: neither in the errors."""
    for scheme in ("redis+sentinel", "redis+cluster"):
        path = "/mymaster/0" if scheme.endswith("sentinel") else ""
        url = f"{scheme}://ada:{PASSWORD}@127.0.0.1:1,127.0.0.1:2{path}"
        manager = watch.manager(url)
        watch.fails(manager.store, inputs(name)[1])
    watch.check("BackendUnavailableError")


def test_the_canaries_would_be_seen(watch, server):
    """The collector does see what is said: a manager that says its password fails the check."""
    watch.hear(f"redis://:{PASSWORD}@127.0.0.1")
    with pytest.raises(AssertionError):
        watch.check()

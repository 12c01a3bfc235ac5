"""The table of faults: what is tried again, what is final, and what the caller sees of each."""

from __future__ import annotations

import pytest

from memkit import (
    AuthenticationError,
    BackendUnavailableError,
    CapacityError,
    OwnerMismatchError,
    ServerError,
)
from memkit.backends.redis.faults import REDISCOVER, Down, Lost, Refused, error_of, is_transient, refusal
from memkit.errors import CorruptRecordError

AGAIN_CODES = "LOADING TRYAGAIN BUSY MASTERDOWN NOREPLICAS UNBLOCKED"
ELSEWHERE_CODES = "READONLY CLUSTERDOWN"
NEVER_CODES = "WRONGTYPE MOVED ASK CROSSSLOT EXECABORT NOSCRIPT MISCONF ERR NOGROUP BUSYGROUP NOTBUSY INPROG SYNTAX"


@pytest.mark.parametrize("code", f"{AGAIN_CODES} {ELSEWHERE_CODES}".split())
def test_codes_that_are_tried_again(code):
    """These replies pass: they are tried again, and at the end they are BackendUnavailableError."""
    fault = refusal(f"{code} some text")
    assert (fault.code, is_transient(fault), fault.in_doubt) == (code, True, False)
    assert type(error_of(fault, "server")) is BackendUnavailableError
    assert (code in REDISCOVER) == (code in ELSEWHERE_CODES.split())


@pytest.mark.parametrize("code", NEVER_CODES.split())
def test_codes_that_are_final(code):
    """These replies do not pass: one attempt, and ServerError with the code."""
    fault = refusal(f"{code} some text")
    error = error_of(fault, "server")
    assert (is_transient(fault), type(error)) == (False, ServerError)
    assert error.code == code


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("NOAUTH Authentication required.", AuthenticationError),
        ("WRONGPASS invalid username-password pair or user is disabled.", AuthenticationError),
        ("NOPERM this user has no permissions to run the 'evalsha' command", AuthenticationError),
        ("ERR invalid password", AuthenticationError),
        ("ERR Protocol error: unauthenticated multibulk length", AuthenticationError),
        ("ERR AUTH <password> called without any password configured for the default user.", AuthenticationError),
        ("OOM command not allowed when used memory > 'maxmemory'.", CapacityError),
        ("MKOWNER the conversation belongs to another user", OwnerMismatchError),
        ("MKHALF one key of a log was evicted and the other was not", CorruptRecordError),
    ],
)
def test_replies_with_an_error_of_their_own(reply, kind):
    """Refused logins, a full server, and what our scripts say: final, each its own class."""
    fault = refusal(reply)
    assert not is_transient(fault)
    assert type(error_of(fault, "server")) is kind


def test_too_many_clients_is_tried_again():
    """A server with its maximum of clients says so under the code ERR; a place may become free."""
    fault = refusal("ERR max number of clients reached")
    assert is_transient(fault)
    assert type(error_of(fault, "server")) is BackendUnavailableError


@pytest.mark.parametrize(
    ("inner", "code", "again"),
    [
        ("-READONLY You can't write against a read only replica.", "READONLY", True),
        ("-OOM command not allowed when used memory > 'maxmemory'.", "OOM", False),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", "WRONGTYPE", False),
        ("attempt to compare nil with number", "ERR", False),
    ],
)
def test_errors_inside_of_scripts(inner, code, again):
    """Redis 6.2 wraps the error of a command in the error of its script: the inner one counts."""
    fault = refusal(f"ERR Error running script (call to f_0123): @user_script:192: @user_script: 192: {inner}")
    assert (fault.code, is_transient(fault)) == (code, again)


def test_doubt():
    """Only a call that was sent and not answered is in doubt; a wrong certificate is not tried again."""
    assert Lost("x").in_doubt
    assert is_transient(Lost("x"))
    assert not Down("x").in_doubt
    assert is_transient(Down("x"))
    assert not is_transient(Down("x", final=True))
    assert not Refused("ERR", "x").in_doubt
    assert not is_transient(ValueError("x"))


@pytest.mark.parametrize("quote", ["'", "`"])
def test_refusals_repeat_no_arguments(quote):
    """What a reply repeats of the command is left out."""
    fault = refusal(f"ERR unknown command {quote}EVALSHA{quote}, with args beginning with: {quote}secret text{quote}")
    assert "secret" not in str(error_of(fault, "server"))
    assert "secret" not in str(error_of(refusal("secret text that is no code"), "server"))

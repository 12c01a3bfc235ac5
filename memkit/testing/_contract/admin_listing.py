"""Administration: conversations are listed, and the store says what it is."""
# ruff: noqa: PLR2004 - the numbers are those of the conversations that a test makes

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import evolve

from memkit.clock import Clock
from memkit.errors import InvalidInputError, OwnerMismatchError
from memkit.results import ConversationInfo
from memkit.testing._contract.base import KINDS, LONG, SHORT, WORKING, sample
from memkit.testing._contract.history_base import HistoryPiece, Kit, MakeKit, tell
from memkit.testing._contract.names import NASTY

__all__ = ["AdminInputContract", "ListingContract"]

_SOON = 0.2
_LATE = 0.23

_WRONG: list[tuple[str, dict[str, Any], str, tuple[Any, ...]]] = [
    # The method, its other arguments, the name of the wrong one, and wrong values.
    ("conversations", {}, "user_id", ("", 5, True, b"a", "\ud800", "x" * 70_000)),
    ("conversations", {}, "limit", (None, 0, -1, 1001, True, 1.0, "1")),
    ("conversations", {}, "cursor", ("", 5, "nonsense", "é", b"a", "x" * 1000)),
    ("erase", {}, "user_id", ("", 5, True, b"a", "\ud800", "x" * 70_000)),
    ("erase", {}, "conversation_id", ("", 5, True, b"a", "\ud800", "x" * 70_000)),
    ("erase", {}, "namespace", (None, 1, "yes")),
    ("erase", {"namespace": True}, "dry_run", (None, 1, "yes")),
    ("export", {}, "user_id", ("", 5, True, b"a", "\ud800")),
    ("export", {}, "conversation_id", ("", 5, True, b"a", "\ud800")),
    ("export", {}, "on_progress", (5, "print")),
    ("import_", {"lines": []}, "on_progress", (5, "print")),
    ("import_", {}, "lines", (None, 5, "text", ["text"], [5])),
]


class AdminInputContract(HistoryPiece):
    """What is wrong is refused by name, before anything is sent."""

    @pytest.mark.parametrize(
        ("method", "others", "name", "values"), _WRONG, ids=[f"{case[0]}-{case[2]}" for case in _WRONG]
    )
    def test_wrong_arguments_of_admin(
        self, kit: Kit, method: str, others: dict[str, Any], name: str, values: tuple[Any, ...]
    ) -> None:
        """A value of the wrong type, or out of range, is refused by the name of its argument."""
        for value in values:
            with pytest.raises(InvalidInputError) as caught:
                _called(getattr(kit.admin, method), {**others, name: value})
            assert caught.value.field == name

    @pytest.mark.parametrize(
        "given", [{}, {"user_id": "ann", "conversation_id": "c"}, {"user_id": "ann", "namespace": True}]
    )
    def test_what_shall_be_erased(self, kit: Kit, given: dict[str, Any]) -> None:
        """Exactly one of user, conversation and namespace is given, or nothing is erased."""
        with pytest.raises(InvalidInputError):
            kit.admin.erase(**given)


class ListingContract(HistoryPiece):
    """Every conversation with data is listed, the newest first, page by page, for all or for one user."""

    def test_nothing_to_list(self, kit: Kit) -> None:
        """Where nothing is stored the only page is empty, and the last."""
        for page in (kit.admin.conversations(), kit.admin.conversations(user_id="ann")):
            assert (page.items, page.cursor, list(page), len(page)) == ((), None, [], 0)

    def test_newest_first(self, kit: Kit, clock: Clock) -> None:
        """Conversations come in the order in which they began, the newest first."""
        for name in ("a", "b", "c", "d"):
            tell(kit.history(name), "u1")
            clock.sleep(0.001)
        assert _listed(kit) == ["d", "c", "b", "a"]

    def test_activity_of_another(self, kit: Kit, make_kit: MakeKit, clock: Clock) -> None:
        """A conversation in which another kit becomes active moves to the front."""
        for name in ("a", "b"):
            tell(kit.history(name), "u1")
            clock.sleep(0.001)
        tell(make_kit().history("a"), "u2")
        assert _listed(kit) == ["a", "b"]

    def test_listed_with_what_is_known(self, kit: Kit) -> None:
        """What a listing says of a conversation is what the conversation says of itself."""
        for name, user_id in (("a", "ann"), ("b", None)):
            history = kit.history(name, user_id=user_id)
            tell(history, "u1 u2 u3")
            history.set_title(f"title of {name}")
            history.set_metadata({"of": name})
        kit.history("a").pop()
        for found in kit.admin.conversations():
            assert _timeless(found) == _timeless(kit.history(found.id).info())
            assert found.expires_in is not None
            assert 86_300 < found.expires_in <= 86_400

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_memory_is_listed(self, kit: Kit, kind: Any) -> None:
        """A conversation is listed whichever memory it has, and once if it has all."""
        kit.manager.store(kind, sample(kind))
        assert _listed(kit) == ["c"]
        for other in KINDS:
            kit.manager.store(other, sample(other), user_id="ann")
        assert _listed(kit) == _listed(kit, user_id="ann") == ["c"]

    def test_branches_are_listed(self, kit: Kit) -> None:
        """A conversation of which only a branch is left is listed, and so is a fork."""
        tell(kit.history("a"), "u1")
        kit.history("a").fork("b")
        kit.history("a").rewind(None)
        assert sorted(_listed(kit)) == ["a", "b"]

    @pytest.mark.parametrize("limit", [1, 4, 7, 12, 1000])
    def test_pages_of_conversations(self, kit: Kit, limit: int) -> None:
        """Pages give every conversation once, in order, each at most as long as asked for."""
        for n in range(12):
            tell(kit.history(f"c{n}"), "u1")
        pages = _pages(kit, limit=limit)
        assert [name for page in pages for name in page] == _listed(kit)
        assert sorted(_listed(kit)) == sorted(f"c{n}" for n in range(12))
        assert all(0 < len(page) <= limit for page in pages[:-1])

    def test_pages_while_others_write(self, kit: Kit, make_kit: MakeKit, clock: Clock) -> None:
        """What becomes active or is deleted between two pages does not make the rest come twice or not at all."""
        for n in range(9):
            tell(kit.history(f"c{n}"), "u1")
            clock.sleep(0.001)
        first = kit.admin.conversations(limit=3)
        tell(make_kit().history("c8"), "u2")
        tell(kit.history("new"), "u1")
        kit.history("c5").clear()
        rest, cursor = [], first.cursor
        while cursor is not None:
            page = kit.admin.conversations(limit=3, cursor=cursor)
            rest += [found.id for found in page]
            cursor = page.cursor
        assert [found.id for found in first] == ["c8", "c7", "c6"]
        assert rest == ["c4", "c3", "c2", "c1", "c0"]

    def test_conversations_of_a_user(self, kit: Kit) -> None:
        """A user's listing has the conversations that the user claimed, whoever writes to them."""
        for n in range(9):
            user_id = ("ann", "bob", None)[n % 3]
            tell(kit.history(f"c{n}", user_id=user_id), "u1")
            tell(kit.history(f"c{n}"), "u2")
        assert sorted(_listed(kit, user_id="ann")) == ["c0", "c3", "c6"]
        assert sorted(_listed(kit, user_id="bob")) == ["c1", "c4", "c7"]
        assert _listed(kit, user_id="eve") == []
        assert len(_listed(kit)) == 9
        pages = _pages(kit, user_id="ann", limit=2)
        assert sorted(name for page in pages for name in page) == ["c0", "c3", "c6"]

    def test_a_claim_that_was_refused(self, kit: Kit) -> None:
        """Who was refused a conversation does not find it in the listing."""
        tell(kit.history(user_id="ann"), "u1")
        with pytest.raises(OwnerMismatchError):
            tell(kit.history(user_id="bob"), "u2")
        assert (_listed(kit, user_id="ann"), _listed(kit, user_id="bob")) == (["c"], [])

    def test_a_conversation_that_changes_hands(self, kit: Kit) -> None:
        """A conversation that was deleted and claimed by another is listed for that one."""
        tell(kit.history(user_id="ann"), "u1")
        kit.history().clear()
        assert (_listed(kit), _listed(kit, user_id="ann")) == ([], [])
        tell(kit.history(user_id="bob"), "u1")
        assert (_listed(kit, user_id="ann"), _listed(kit, user_id="bob")) == ([], ["c"])

    def test_what_has_expired_is_not_listed(self, kit: Kit, clock: Clock) -> None:
        """A conversation is listed as long as any of its memories lives."""
        for name in ("gone", "stays"):
            for kind in KINDS:
                kit.manager.store(kind, sample(kind), conversation_id=name, ttl=_SOON, user_id="ann")
        kit.manager.store(LONG, sample(LONG), conversation_id="stays", ttl=60)
        clock.sleep(_LATE)
        assert _listed(kit) == _listed(kit, user_id="ann") == ["stays"]

    def test_what_was_deleted_is_not_listed(self, kit: Kit) -> None:
        """A conversation whose last data was deleted is not listed, and is again when it begins anew."""
        for kind in KINDS:
            kit.manager.store(kind, sample(kind))
        for kind in KINDS:
            assert _listed(kit) == ["c"]
            kit.manager.delete(kind)
        assert _listed(kit) == []
        kit.manager.store(SHORT, sample(SHORT))
        assert _listed(kit) == ["c"]

    def test_any_name_is_listed(self, kit: Kit) -> None:
        """Every nasty id of a conversation or user is listed as it is."""
        for name in NASTY:
            kit.manager.store(WORKING, sample(WORKING), conversation_id=name, user_id=name)
        assert sorted(_listed(kit)) == sorted(NASTY)
        assert sorted(name for page in _pages(kit, limit=5) for name in page) == sorted(NASTY)
        assert [_listed(kit, user_id=name) for name in NASTY] == [[name] for name in NASTY]

    def test_namespaces_are_listed_apart(self, kit: Kit, make_kit: MakeKit) -> None:
        """A listing is that of its namespace."""
        tell(kit.history("here"), "u1")
        other = make_kit(namespace="other")
        tell(other.history("there"), "u1")
        assert (_listed(kit), _listed(other)) == (["here"], ["there"])

    def test_stats(self, kit: Kit) -> None:
        """The store names itself and counts the conversations that are listed."""
        before = kit.admin.stats()
        for name in ("a", "b"):
            tell(kit.history(name), "u1")
        after = kit.admin.stats()
        assert after.backend
        assert after.conversations == before.conversations + 2
        assert all(isinstance(warning, str) for warning in after.warnings)
        assert after.used_bytes is None or after.used_bytes > 0


def _called(method: Callable[..., Any], options: dict[str, Any]) -> None:
    result = method(**options)
    if isinstance(result, Iterator):
        next(result)


def _listed(kit: Kit, **options: Any) -> list[str]:
    page = kit.admin.conversations(limit=1000, **options)
    assert page.cursor is None
    return [found.id for found in page]


def _pages(kit: Kit, **options: Any) -> list[list[str]]:
    pages, cursor = [], None
    while True:
        page = kit.admin.conversations(cursor=cursor, **options)
        pages.append([found.id for found in page])
        cursor = page.cursor
        if cursor is None:
            return pages


def _timeless(found: ConversationInfo | None) -> ConversationInfo:
    assert found is not None
    return evolve(found, expires_in=None)

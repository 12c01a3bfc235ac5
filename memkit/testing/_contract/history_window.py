"""The window: what is sent to a model is valid, and the newest that fits."""

from __future__ import annotations

import pytest

from memkit.errors import InvalidInputError, WindowError
from memkit.interfaces.history import IMessageHistory
from memkit.records import Message, SystemMessage, UserMessage
from memkit.testing._contract.history_base import HistoryPiece, Kit, is_valid, names, script, tell

__all__ = ["WindowContract", "WindowTokensContract"]

_LONG = "s1 u1 a1 u2! a2(w) t2=w u3 a3(x,y) t3=x t4=y a4 u4"

_BROKEN = {
    "a call without results": ("u1 a1(x) u2", "u1 u2"),
    "a call at the end": ("u1 a1 u2 a2(x)", "u1 a1 u2"),
    "some results missing": ("u1 a1(x,y) t1=x u2", "u1 u2"),
    "some results missing at the end": ("u1 a1(x,y) t1=y", "u1"),
    "a result without a call": ("u1 t1=x a1", "u1 a1"),
    "a result at the head": ("t1=x t2=y u1", "u1"),
    "a result of another call": ("u1 a1(x) t1=y u2", "u1 u2"),
    "a result behind another message": ("u1 a1(x) u2 t1=x u3", "u1 u2 u3"),
    "a result in front of its call": ("u1 t1=x a1(x) u2", "u1 u2"),
    "a result behind a whole group": ("u1 a1(x) t1=x u2 t2=x u3", "u1 a1 t1 u2 u3"),
    "a pinned call without results": ("u1 a1(x)! u2", "u1 u2"),
    "a pinned result without a call": ("u1 t1=x! u2", "u1 u2"),
    "nothing but results": ("t1=x t2=y", ""),
    "nothing but a call": ("a1(x)", ""),
}


class WindowContract(HistoryPiece):
    """A window is valid by the rules of the chat APIs, begins with what always stays, and ends with the newest."""

    def test_window_of_all(self, history: IMessageHistory) -> None:
        """Without bounds the window is everything that is valid, oldest to newest."""
        assert history.window() == []
        tell(history, _LONG)
        assert history.window() == history.messages()

    def test_window_last(self, history: IMessageHistory) -> None:
        """The window has the newest messages, at most so many, whole groups only."""
        tell(history, "u1 a1(x,y) t1=x t2=y a2 u2")
        expected = ["u2", "a2 u2", "a2 u2", "a2 u2", "a1 t1 t2 a2 u2", "u1 a1 t1 t2 a2 u2", "u1 a1 t1 t2 a2 u2"]
        assert [names(history.window(last=last)) for last in range(1, 8)] == expected
        assert history.window(last=4) == history.messages()[-2:]

    def test_window_of_much(self, history: IMessageHistory) -> None:
        """A bound above what there is returns all, however large it is."""
        tell(history, "u1 a1 u2")
        for last in (3, 4, 1000, 1 << 40, 10**30):
            assert names(history.window(last=last)) == "u1 a1 u2"

    def test_window_of_nothing(self, history: IMessageHistory) -> None:
        """The window of no messages is empty, whatever its bounds."""
        assert [history.window(), history.window(last=1), history.window(tokens=1)] == [[], [], []]

    def test_window_does_not_skip(self, history: IMessageHistory) -> None:
        """A group that does not fit ends the window: nothing older is put in its place."""
        tell(history, "u1 u2 a1(x,y) t1=x t2=y u3")
        assert names(history.window(last=3)) == "u3"

    def test_leading_system_messages_stay(self, history: IMessageHistory) -> None:
        """System messages at the head come first and do not count; those behind another message are like any."""
        tell(history, "s1 s2 u1 s3 u2 a1 u3")
        assert names(history.window(last=1)) == "s1 s2 u3"
        assert names(history.window(last=4)) == "s1 s2 s3 u2 a1 u3"
        assert names(history.window(last=5)) == "s1 s2 u1 s3 u2 a1 u3"

    def test_nothing_but_system_messages(self, history: IMessageHistory) -> None:
        """Where there is nothing else, the window is the system messages."""
        tell(history, "s1 s2 s3")
        assert names(history.window(last=1)) == names(history.window()) == "s1 s2 s3"

    def test_pinned_messages_stay(self, history: IMessageHistory) -> None:
        """A pinned message stays at its place and does not count, near or far."""
        tell(history, "u1 u2! a1 u3 u4! a2 u5")
        assert names(history.window(last=1)) == "u2 u4 u5"
        assert names(history.window(last=2)) == "u2 u4 a2 u5"
        assert names(history.window(last=3)) == "u2 u3 u4 a2 u5"

    def test_the_newest_is_pinned(self, history: IMessageHistory) -> None:
        """A pinned message at the end takes no room of those before it."""
        tell(history, "u1 u2 u3!")
        assert names(history.window(last=1)) == "u2 u3"

    @pytest.mark.parametrize("group", ["a1(x,y)! t1=x t2=y", "a1(x,y) t1=x! t2=y", "a1(x,y) t1=x t2=y!"])
    def test_a_pinned_group_stays(self, history: IMessageHistory, group: str) -> None:
        """A call or result that is pinned stays with all of its group."""
        tell(history, f"s1 u1 {group} u2 u3 u4")
        assert names(history.window(last=2)) == "s1 a1 t1 t2 u3 u4"

    def test_pinned_by_an_update(self, history: IMessageHistory) -> None:
        """An update pins a message, and the next one takes the pin away."""
        ids = tell(history, "u1 u2 u3")
        history.update(ids["u1"], UserMessage("u1", pinned=True))
        assert names(history.window(last=1)) == "u1 u3"
        history.update(ids["u1"], UserMessage("u1"))
        assert names(history.window(last=1)) == "u3"

    def test_leading_by_an_update(self, history: IMessageHistory) -> None:
        """An update that changes the role of a message changes what leads the history."""
        ids = tell(history, "u1 u2 u3")
        history.update(ids["u1"], SystemMessage("s1"))
        assert names(history.window(last=1)) == "s1 u3"
        history.update(ids["u1"], UserMessage("u1"))
        assert names(history.window(last=1)) == "u3"

    def test_a_head_by_a_removal(self, history: IMessageHistory) -> None:
        """Once the messages before it are removed, a system message leads."""
        ids = tell(history, "s1 u1 u2 s2 u3 u4")
        for name in ("u1", "u2"):
            history.remove(ids[name])
        assert names(history.window(last=1)) == "s1 s2 u4"
        history.remove(ids["s1"])
        assert names(history.window(last=1)) == "s2 u4"

    def test_a_group_is_what_is_there_now(self, history: IMessageHistory) -> None:
        """A removal joins a call and its results, or parts them."""
        ids = tell(history, "u0 a1(x) u1 t1=x u2")
        assert names(history.window()) == "u0 u1 u2"
        history.remove(ids["u1"])
        assert names(history.window()) == "u0 a1 t1 u2"
        assert names(history.window(last=2)) == "u2"
        history.remove(ids["t1"])
        assert names(history.window(last=2)) == "u0 u2"

    @pytest.mark.parametrize("given", ["a1(x,y,z) t1=z t2=x t3=y", "a1(x,y,z) t1=x t2=y t3=z"])
    def test_parallel_calls(self, history: IMessageHistory, given: str) -> None:
        """Calls that were made at once stay together with all of their results, in whatever order these came."""
        tell(history, f"u1 {given} a2 u2")
        for last in range(2, 6):
            assert names(history.window(last=last)) == "a2 u2"
        assert names(history.window(last=6)) == "a1 t1 t2 t3 a2 u2"

    def test_calls_of_one_name(self, history: IMessageHistory) -> None:
        """Ids of calls may recur from group to group."""
        tell(history, "u1 a1(x) t1=x u2 a2(x) t2=x")
        assert names(history.window()) == "u1 a1 t1 u2 a2 t2"
        assert names(history.window(last=2)) == "a2 t2"

    @pytest.mark.parametrize("case", _BROKEN)
    def test_what_is_broken_is_left_out(self, history: IMessageHistory, case: str) -> None:
        """Calls without all of their results and results without their call are left out; they stay in the history."""
        given, expected = _BROKEN[case]
        tell(history, given)
        assert names(history.window()) == expected
        assert names(history.window(last=100)) == expected
        assert history.count() == len(given.split())

    def test_what_is_left_out_does_not_count(self, history: IMessageHistory) -> None:
        """What is broken takes no room, however much of it stands at the end."""
        tell(history, "u1 u2 u3 " + " ".join(f"a{n}(x,y) t{n}=x" for n in range(40)) + " t99=z")
        assert [names(history.window(last=last)) for last in (1, 2, 3, 4)] == ["u3", "u2 u3", "u1 u2 u3", "u1 u2 u3"]

    def test_two_results_of_one_call(self, history: IMessageHistory) -> None:
        """A call that was answered twice does not make the window invalid."""
        tell(history, "u1 a1(x,y) t1=x t2=x t3=y u2 a2(z) t4=z t5=z")
        assert is_valid(history.window())
        assert is_valid(history.window(last=3))

    def test_every_window_is_valid(self, history: IMessageHistory) -> None:
        """Whatever the bound, a window is valid, within it, and the end of the next larger one."""
        broken = "s1 u1 t0=q a1(x,y) t1=y t2=x a2(z) u2! a3(v) t3=v t4=w a4 s2 u3 a5(m,n) t5=m u4 a6(o) t6=o"
        tell(history, broken)
        for last in range(2, 16):
            found = history.window(last=last)
            counted = [name for name in names(found).split() if name not in {"s1", "u2"}]
            assert is_valid(found)
            assert len(counted) <= last
            assert names(found).startswith("s1 ")
            larger = [name for name in names(history.window(last=last + 1)).split() if name not in {"s1", "u2"}]
            assert larger[len(larger) - len(counted) :] == counted

    def test_a_group_too_large_for_last(self, history: IMessageHistory) -> None:
        """Where the newest group alone has too many messages, the error says how many it needs."""
        tell(history, "s1 u1! u2 a1(x,y) t1=x t2=y")
        for last in (1, 2):
            with pytest.raises(WindowError) as caught:
                history.window(last=last)
            assert (caught.value.bound, caught.value.allowed, caught.value.needed) == ("last", last, 3)
        assert names(history.window(last=3)) == "s1 u1 a1 t1 t2"

    def test_window_of_a_long_history(self, history: IMessageHistory) -> None:
        """A pinned message far back and the head are in the window of a history of thousands."""
        tell(history, "s1 u0! a0(x) t0=x!")
        history.append(*(UserMessage(f"m{n}") for n in range(3000)))
        assert names(history.window(last=3)) == "s1 u0 a0 t0 m2997 m2998 m2999"

    def test_window_of_large_groups(self, history: IMessageHistory) -> None:
        """Groups of many results are whole, wherever pages of them may end."""
        calls = [f"x{n}" for n in range(45)]
        group = " ".join(f"t{n}={call}" for n, call in enumerate(calls))
        tell(history, "u1 " + " ".join(f"a{n}({','.join(calls)}) {group} u2" for n in range(4)), tokens=1)
        sizes = {1: 1, 46: 1, 47: 47, 48: 48, 93: 48, 94: 94, 188: 188, 189: 189, 190: 189}
        assert {last: len(history.window(last=last)) for last in sizes} == sizes
        assert {tokens: len(history.window(tokens=tokens)) for tokens in sizes} == sizes
        assert is_valid(history.window(last=150))

    def test_window_of_full_messages(self, history: IMessageHistory) -> None:
        """The messages of a window are those of the history in every field."""
        tell(history, _LONG, metadata={"a": 1}, name="n")
        assert history.window(last=100) == history.messages() == history.window()


class WindowTokensContract(HistoryPiece):
    """A window within a number of tokens counts everything that is in it."""

    def test_window_tokens(self, history: IMessageHistory) -> None:
        """The window has the newest groups that fit together with what always stays, all of it counted."""
        tell(history, "s1 u1 u2! u3 a1(x) t1=x u4", tokens=10)
        expected = {
            30: "s1 u2 u4",
            39: "s1 u2 u4",
            49: "s1 u2 u4",
            50: "s1 u2 a1 t1 u4",
            60: "s1 u2 u3 a1 t1 u4",
            69: "s1 u2 u3 a1 t1 u4",
            70: "s1 u1 u2 u3 a1 t1 u4",
            10**30: "s1 u1 u2 u3 a1 t1 u4",
        }
        assert {tokens: names(history.window(tokens=tokens)) for tokens in expected} == expected

    @pytest.mark.parametrize(
        ("given", "needed", "kept"),
        [("u1 u2", 10, "u2"), ("u1 a1(x,y) t1=x t2=y", 30, "a1 t1 t2"), ("s1 u1 u2", 20, "s1 u2")],
    )
    def test_tokens_too_few(self, history: IMessageHistory, given: str, needed: int, kept: str) -> None:
        """Where the newest group with what always stays has more tokens, the error says how many it allows."""
        tell(history, given, tokens=10)
        with pytest.raises(WindowError) as caught:
            history.window(tokens=needed - 1)
        assert (caught.value.bound, caught.value.allowed) == ("tokens", needed - 1)
        assert caught.value.needed > needed - 1
        assert names(history.window(tokens=needed)) == kept

    def test_pinned_messages_too_large(self, history: IMessageHistory) -> None:
        """Where what always stays has more tokens than there may be, the window is refused."""
        tell(history, "s1 u1! u2! u3", tokens=10)
        with pytest.raises(WindowError) as caught:
            history.window(tokens=29)
        assert caught.value.bound == "tokens"

    def test_tokens_by_a_counter(self, kit: Kit) -> None:
        """A counter counts the messages that have no stored count, and only these."""
        history = kit.history()
        history.append(*script("u1 u2", tokens=10), *script("u3 u4"))
        seen: list[str] = []

        def count(message: Message) -> int:
            seen.append(str(message.content))
            return 1

        assert names(history.window(tokens=12, counter=count)) == "u2 u3 u4"
        assert set(seen) == {"u3", "u4"}

    def test_counter_of_the_history(self, kit: Kit) -> None:
        """The counter of the history counts where the call names none."""
        tell(kit.history(), "u1 u2 u3")
        history = kit.history(counter=lambda _: 5)
        assert names(history.window(tokens=10)) == "u2 u3"
        assert names(history.window(tokens=10, counter=lambda _: 1)) == "u1 u2 u3"

    def test_no_counter(self, history: IMessageHistory) -> None:
        """Messages without a count and without a counter are refused, and only where tokens are to be counted."""
        history.append(*script("u1", tokens=3), *script("u2"))
        with pytest.raises(InvalidInputError) as caught:
            history.window(tokens=100)
        assert caught.value.field in {"counter", "tokens"}
        assert names(history.window()) == names(history.window(last=2)) == "u1 u2"

    def test_tokens_of_nothing(self, history: IMessageHistory) -> None:
        """A message of no tokens takes no room."""
        history.append(*script("u1 u2 u3", tokens=0), *script("u4", tokens=1))
        assert names(history.window(tokens=1)) == "u1 u2 u3 u4"

    def test_last_and_tokens(self, history: IMessageHistory) -> None:
        """With both bounds the window keeps both, whichever is the narrower."""
        tell(history, "s1 u1 u2 u3 u4", tokens=10)
        assert names(history.window(last=2, tokens=1000)) == "s1 u3 u4"
        assert names(history.window(last=1000, tokens=40)) == "s1 u2 u3 u4"
        assert names(history.window(last=3, tokens=30)) == "s1 u3 u4"

    def test_tokens_of_what_is_left_out(self, history: IMessageHistory) -> None:
        """What is broken is not counted."""
        tell(history, "u1 u2", tokens=10)
        tell(history, "a1(x,y) t1=x", tokens=1000)
        assert names(history.window(tokens=20)) == "u1 u2"

    def test_tokens_of_a_long_history(self, history: IMessageHistory) -> None:
        """A window of many small messages is complete, and begins with what always stays."""
        tell(history, "s1 u0!", tokens=1)
        history.append(*(UserMessage(f"m{n}", tokens=1) for n in range(1000)))
        found = names(history.window(tokens=502)).split()
        assert found == ["s1", "u0", *(f"m{n}" for n in range(500, 1000))]

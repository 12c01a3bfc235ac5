"""The contract of memory managers as a test suite: memkit's own managers pass it, and yours can be put to it.

Subclass `ManagerContract` and override one fixture. The suite is written once for both colours: return a sync or an
async manager, and the same claims are tested::

    import uuid

    import pytest
    from memkit.testing.contract import ManagerContract

    class TestMyManager(ManagerContract):
        @pytest.fixture
        def make_manager(self):
            run = uuid.uuid4().hex
            return lambda *, namespace="", **options: MyManager(namespace=f"{run}:{namespace}", **options)

The histories and the administration of a `MemoryKit` over such managers have suites of their own, `HistoryContract` and
`AdminContract`, over the same fixture::

    class TestMyHistories(HistoryContract, AdminContract):
        @pytest.fixture
        def make_manager(self): ...

A store whose time a test can move overrides the fixture `clock` too, with a `memkit.testing.clock.ManualClock`; every
manager is given that clock as its option ``clock``. On any other store the tests of the time to live wait, about a
quarter of a second each.
"""

from __future__ import annotations

from memkit.testing._contract.admin_erase import EraseContract
from memkit.testing._contract.admin_listing import AdminInputContract, ListingContract
from memkit.testing._contract.admin_transfer import TransferContract
from memkit.testing._contract.base import KINDS, LISTS, LONG, SHORT, WORKING, Contract, Subject, sample, texts
from memkit.testing._contract.basics import BasicContract
from memkit.testing._contract.batches import BatchContract, StoreManyContract, WindowsContract
from memkit.testing._contract.filters import FilterContract
from memkit.testing._contract.history_about import AboutContract, AbsentContract
from memkit.testing._contract.history_append import HistoryAppendContract, HistoryRepeatContract
from memkit.testing._contract.history_branches import BranchContract
from memkit.testing._contract.history_compact import CompactContract, CompactWithContract
from memkit.testing._contract.history_edits import EditContract
from memkit.testing._contract.history_follow import FollowContract
from memkit.testing._contract.history_forks import ForkContract
from memkit.testing._contract.history_inputs import HistoryInputContract
from memkit.testing._contract.history_lives import LivesContract
from memkit.testing._contract.history_null import HistoryKeepsNothingContract
from memkit.testing._contract.history_owners import HistoryOwnerContract
from memkit.testing._contract.history_pages import PagesContract
from memkit.testing._contract.history_repair import RepairContract
from memkit.testing._contract.history_retention import RetentionContract
from memkit.testing._contract.history_turns import TurnContract
from memkit.testing._contract.history_window import WindowContract, WindowTokensContract
from memkit.testing._contract.inputs import InputContract, InputFormContract
from memkit.testing._contract.longterm import LongContract
from memkit.testing._contract.metadata import MetadataContract
from memkit.testing._contract.names import NASTY, NameContract
from memkit.testing._contract.null import KeepsNothingContract
from memkit.testing._contract.owners import OwnerContract
from memkit.testing._contract.queries import QueryContract
from memkit.testing._contract.sharing import SharingContract
from memkit.testing._contract.shortterm import ShortContract
from memkit.testing._contract.ttl import TtlContract
from memkit.testing._contract.versions import VersionContract
from memkit.testing._contract.working import WorkingContract

__all__ = [
    "KINDS",
    "LISTS",
    "LONG",
    "NASTY",
    "SHORT",
    "WORKING",
    "AdminContract",
    "Contract",
    "HistoryContract",
    "ManagerContract",
    "NullContract",
    "NullHistoryContract",
    "StoreContract",
    "Subject",
    "sample",
    "texts",
]


class StoreContract(
    BasicContract,
    WorkingContract,
    ShortContract,
    LongContract,
    VersionContract,
    MetadataContract,
    FilterContract,
    QueryContract,
    BatchContract,
    StoreManyContract,
    OwnerContract,
    TtlContract,
    NameContract,
    SharingContract,
):
    """What a manager promises of its store: all but the checks of inputs, which are made before anything is sent."""


class ManagerContract(InputContract, InputFormContract, StoreContract):
    """All that a manager promises. Override the fixture `make_manager`; see `Contract`."""


class NullContract(BasicContract, InputContract, KeepsNothingContract):
    """What is left of it for a manager that checks everything and keeps nothing."""


class HistoryContract(
    HistoryAppendContract,
    HistoryRepeatContract,
    WindowContract,
    WindowTokensContract,
    WindowsContract,
    PagesContract,
    EditContract,
    AboutContract,
    AbsentContract,
    LivesContract,
    ForkContract,
    BranchContract,
    CompactContract,
    CompactWithContract,
    RepairContract,
    TurnContract,
    FollowContract,
    RetentionContract,
    HistoryOwnerContract,
    HistoryInputContract,
):
    """All that the histories of a kit promise. Override the fixture `make_manager`; see `Contract`."""


class AdminContract(ListingContract, EraseContract, TransferContract, AdminInputContract):
    """All that the administration of a kit promises. Override the fixture `make_manager`; see `Contract`."""


class NullHistoryContract(AbsentContract, HistoryInputContract, AdminInputContract, HistoryKeepsNothingContract):
    """What is left of both for a manager that checks everything and keeps nothing."""

"""However a proactor ends, it ends once, says why once, and leaves nothing behind.

Random applications: some tasks that end, fail, sleep or are slow to let go, some names that pat or
do not; and a stop at some moment, or none.
"""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gwproactor.config.events import EventSettings
from gwproactor.config.proactor import ProactorSettings
from gwproactor.config.tasks import OnFailure, TaskPolicy
from gwproactor.config.watchdog import WatchdogSettings
from gwproactor.errors import ProactorFailedError
from gwproactor.interfaces import MonitoredName
from gwproactor.runtime.proactor import Proactor
from gwproactor_test.leaks import no_leaks
from gwproactor_test.overseer import failing, forever
from gwproactor_test.proactor_pair import CHILD, NOBODY, link_to_parent
from gwproactor_test.programs import shutdown_reasons

SECONDS = 20.0
BORNE = 2


@dataclass(frozen=True)
class Plan:
    """One application.

    Args:
        failures: Of each task, how often it fails; None for one that only waits.
        policies: What follows, for each.
        slow_to_end: How many tasks take a moment to end.
        silent: Whether a monitored name never pats.
        stop_after_turns: After how many turns of the loop it is stopped; None for never.
    """

    failures: list[int | None]
    policies: list[OnFailure]
    slow_to_end: int
    silent: bool
    stop_after_turns: int | None

    def must_fail(self) -> bool:
        """Whether it fails when it is not stopped before."""
        both = zip(self.failures, self.policies, strict=False)
        return self.silent or any(
            failures > (BORNE if policy is OnFailure.restart else 0)
            for failures, policy in both
            if failures is not None and policy is not OnFailure.report
        )


plans = st.builds(
    Plan,
    failures=st.lists(st.sampled_from([None, 0, 1, 5]), max_size=4),
    policies=st.lists(st.sampled_from(OnFailure), min_size=4, max_size=4),
    slow_to_end=st.integers(0, 2),
    silent=st.booleans(),
    stop_after_turns=st.one_of(st.none(), st.integers(0, 40)),
)


class Application(Proactor):
    """Does what its plan says."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        super().__init__(
            CHILD,
            ProactorSettings(
                events=EventSettings(folder=folder), watchdog=WatchdogSettings(hang_seconds=None)
            ),
        )
        self.add_link(link_to_parent(NOBODY))

    @property
    def monitored_names(self) -> list[MonitoredName]:
        return [MonitoredName("silent", 0.02)] if self.plan.silent else []

    def start_tasks(self) -> None:
        for failures, on_failure in zip(self.plan.failures, self.plan.policies, strict=False):
            work: Callable[[], Coroutine[Any, Any, None]] = forever
            if failures is not None:
                work = failing(failures)
            self.add_task(work, "task", self.policy(on_failure))
        for _ in range(self.plan.slow_to_end):
            self.add_task(self.end_slowly)

    @staticmethod
    def policy(on_failure: OnFailure) -> TaskPolicy:
        at_once = {"first_delay_seconds": 1e-6, "longest_delay_seconds": 1e-6}
        return TaskPolicy(on_failure=on_failure, max_restarts=BORNE, **at_once)

    async def end_slowly(self) -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(0.01)


async def carry_out(plan: Plan, folder: Path) -> None:
    failed = False
    async with no_leaks(), asyncio.timeout(SECONDS):
        application = Application(plan, folder)
        application.start()
        await application.started()
        if plan.stop_after_turns is not None or not plan.must_fail():
            for _ in range(plan.stop_after_turns or 0):
                await asyncio.sleep(0)
            application.stop("enough")
        try:
            await application.join()
        except ProactorFailedError:
            failed = True
    if plan.stop_after_turns is None:
        assert failed == plan.must_fail()
    (reason,) = shutdown_reasons(folder)
    if failed:
        assert plan.must_fail()
        assert reason.startswith(("task 'task' died: OSError", "watchdog: silent has given"))
    else:
        assert reason == "enough"


@settings(max_examples=25, deadline=None)
@given(plans)
def test_it_ends_once_says_why_once_and_leaves_nothing(plan: Plan) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(carry_out(plan, Path(folder)))

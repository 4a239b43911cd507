"""The scheduler against a virtual clock: who goes first, and that everybody goes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.engine.costs import StepCosts
from handlers.engine.scheduler import Batch, Policy, Scheduler
from handlers.engine.tickets import Admitted, Kind, Refused, Ticket
from tests.handlers.engine.simulation import Arrival, play

SMALL, LARGE = (48, 64), (96, 128)
# A small latent gains from company, a large one hardly does.
COSTS = StepCosts({SMALL: (0.004, 0.005, 0.006, 0.0072), LARGE: (0.02, 0.0396, 0.0594, 0.0792)})
WEIGHTS = {Kind.PREVIEW: 0.5, Kind.STANDARD: 1.0, Kind.BATCH: 4.0}
POLICY = Policy(max_batch=4, ageing=0.02, fairness=0.1, weights=WEIGHTS)


def scheduler(policy: Policy = POLICY) -> Scheduler:
    return Scheduler(policy, COSTS)


def enter(crowd: Scheduler, told: Ticket, now_s: float, rows: int = 1) -> Admitted | Refused:
    """Let a request in that is prepared already."""
    answer = crowd.admit(told, now_s)
    if isinstance(answer, Admitted):
        crowd.ready(told.name, rows)
    return answer


def ticket(name: str, steps: int = 30, **told: object) -> Ticket:
    plain = Ticket(name, "ann", Kind.STANDARD, LARGE, steps)
    return replace(plain, **told)  # type: ignore[arg-type]


arrivals = st.lists(
    st.tuples(
        st.floats(0, 2),
        st.sampled_from(["ann", "bob", "cem"]),
        st.sampled_from(list(Kind)),
        st.sampled_from([SMALL, LARGE]),
        st.integers(1, 40),
        st.one_of(st.none(), st.floats(0, 3)),
    ),
    min_size=1,
    max_size=25,
).map(
    lambda drawn: [
        Arrival(at, Ticket(f"r{n}", user, kind, bucket, steps), leaves)
        for n, (at, user, kind, bucket, steps, leaves) in enumerate(drawn)
    ]
)


@settings(max_examples=200, deadline=None)
@given(arrivals)
def test_everybody_is_done_or_left_and_no_step_is_lost(coming: list[Arrival]) -> None:
    story = play(scheduler(), COSTS, coming)
    names = {one.ticket.name for one in coming}
    assert story.done_s.keys() | story.left == names
    assert not story.done_s.keys() & story.left
    wished = {one.ticket.name: one.ticket.steps for one in coming}
    assert all(story.steps[name] == wished[name] for name in story.done_s)
    assert story.idle_while_waiting == 0


@settings(max_examples=300, deadline=None)
@given(arrivals, st.lists(st.floats(0.05, 2), min_size=25, max_size=25))
def test_nobody_who_was_promised_is_late(coming: list[Arrival], given_s: list[float]) -> None:
    promised = [
        replace(one, ticket=replace(one.ticket, deadline_s=one.at_s + within))
        for one, within in zip(coming, given_s, strict=False)
    ]
    # Half of the crowd wants no promise, and must not break those of the others.
    crowd = [one if n % 2 else coming[n] for n, one in enumerate(promised)]
    story = play(scheduler(), COSTS, crowd)
    for one in crowd:
        done_s = story.done_s.get(one.ticket.name)
        if done_s is not None and one.ticket.deadline_s is not None:
            assert done_s <= one.ticket.deadline_s + 1e-6


@settings(max_examples=200, deadline=None)
@given(arrivals)
def test_a_batch_is_full_of_one_kind_of_latent(coming: list[Arrival]) -> None:
    crowd = scheduler()
    for one in coming:
        enter(crowd, one.ticket, 0.0)
    sizes = {one.ticket.name: one.ticket.bucket for one in coming}
    batch = crowd.next_batch(0.0)
    assert batch is not None
    assert {sizes[name] for name in batch.names} == {batch.bucket}
    alike = sum(size == batch.bucket for size in sizes.values())
    assert len(batch.names) == min(alike, COSTS.knee(batch.bucket, POLICY.max_batch))


@pytest.mark.parametrize("steps", [1, 10, 40])
def test_a_lone_request_is_not_starved_by_a_stream(steps: int) -> None:
    policy = replace(POLICY, ageing=1.0)
    patient = Arrival(0.0, Ticket("patient", "zoe", Kind.BATCH, LARGE, steps))
    every_s, work_s = 0.03, 2 * COSTS.step_s(LARGE, 1)  # more than the device can do
    stream = [
        Arrival(every_s * n, Ticket(f"s{n}", f"u{n}", Kind.PREVIEW, LARGE, 2)) for n in range(400)
    ]
    story = play(scheduler(policy), COSTS, [patient, *stream])
    # Only who came before it counted as nothing is served before it.
    own_s = steps * COSTS.step_s(LARGE, 1)
    patience_s = own_s * WEIGHTS[Kind.BATCH] / policy.ageing
    earlier_s = (patience_s / every_s + 1) * work_s
    assert story.done_s["patient"] <= earlier_s + own_s + work_s


def test_the_shortest_remaining_goes_first() -> None:
    crowd = scheduler()
    enter(crowd, ticket("long", 30), 0.0)
    enter(crowd, ticket("short", 4), 0.0)
    assert crowd.waiting(0.0) == ("short", "long")


def test_a_preview_overtakes_at_the_next_step() -> None:
    crowd = scheduler()
    enter(crowd, ticket("quality", 30), 0.0)
    first = crowd.next_batch(0.0)
    assert first is not None
    crowd.stepped(first, 0.02)
    enter(crowd, ticket("preview", 4, kind=Kind.PREVIEW), 0.02)
    assert crowd.next_batch(0.02) == Batch(LARGE, ("preview",))


def test_what_has_waited_long_goes_first() -> None:
    crowd = scheduler(replace(POLICY, ageing=1.0))
    enter(crowd, ticket("long", 30), 0.0)
    enter(crowd, ticket("short", 4, user="bob"), 1.0)
    assert crowd.waiting(1.0)[0] == "long"


def test_one_user_s_hundred_do_not_stand_before_another_s_one() -> None:
    many = [Arrival(0.0, ticket(f"a{n}", 30)) for n in range(100)]
    one = Arrival(1.0, ticket("lone", 30, user="bob"))
    story = play(scheduler(replace(POLICY, fairness=2.0)), COSTS, [*many, one])
    before = sum(
        done < story.done_s["lone"] for name, done in story.done_s.items() if name != "lone"
    )
    assert before < 10


def test_small_latents_step_together_and_large_ones_alone() -> None:
    assert COSTS.knee(SMALL, 4) == 4
    assert COSTS.knee(SMALL, 2) == 2
    assert COSTS.knee(LARGE, 4) == 1


def test_a_deadline_that_cannot_be_kept_is_refused_at_once() -> None:
    crowd = scheduler()
    enter(crowd, ticket("first", 30), 0.0)
    enter(crowd, ticket("promised", 10, deadline_s=0.5), 0.0)
    answer = enter(crowd, ticket("second", 30, deadline_s=0.7), 0.0)
    assert isinstance(answer, Refused)
    assert answer.estimate_s == pytest.approx(1.4)
    assert len(crowd) == 2


def test_a_caller_may_take_fewer_steps_instead() -> None:
    crowd = scheduler()
    enter(crowd, ticket("first", 10, deadline_s=0.3), 0.0)
    answer = enter(crowd, ticket("second", 30, deadline_s=0.6, least_steps=15), 0.0)
    assert isinstance(answer, Admitted)
    assert answer.steps == 20
    assert answer.estimate_s == pytest.approx(0.6)


def test_nobody_who_was_promised_is_made_late_by_a_newcomer() -> None:
    crowd = scheduler()
    enter(crowd, ticket("promised", 30, deadline_s=0.65), 0.0)
    hasty = ticket("hasty", 4, kind=Kind.PREVIEW, deadline_s=0.3)
    assert isinstance(enter(crowd, hasty, 0.0), Refused)
    enter(crowd, replace(hasty, name="patient", deadline_s=None), 0.0)
    now_s, turns = 0.0, list[tuple[str, ...]]()
    while (batch := crowd.next_batch(now_s)) and len(turns) < 4:
        turns.append(batch.names)
        now_s += 0.02
        crowd.stepped(batch, 0.02)
    # Two steps of the other fit in before the promise; then it is the promised one's turn.
    assert turns == [("patient",), ("patient",), ("promised",), ("promised",)]


def test_who_leaves_in_the_middle_of_a_step_takes_no_other_with_them() -> None:
    crowd = scheduler()
    for name in ("a", "b"):
        enter(crowd, ticket(name, 2, bucket=SMALL), 0.0)
    batch = crowd.next_batch(0.0)
    assert batch is not None
    crowd.leave("a")
    assert crowd.stepped(batch, 0.005) == ()
    assert crowd.waiting(0.005) == ("b",)


def test_a_name_is_in_once() -> None:
    crowd = scheduler()
    enter(crowd, ticket("same"), 0.0)
    with pytest.raises(ValueError, match="same is in already"):
        enter(crowd, ticket("same"), 0.0)


def test_an_estimate_counts_everybody_before() -> None:
    crowd = scheduler()
    enter(crowd, ticket("short", 10), 0.0)
    enter(crowd, ticket("long", 20), 0.0)
    places = crowd.places(0.0)
    assert places["short"].done_s == pytest.approx(0.2)
    assert places["long"].done_s == pytest.approx(0.6)
    assert [places[name].position for name in ("short", "long")] == [0, 1]


def test_those_who_step_together_stand_at_one_place() -> None:
    crowd = scheduler()
    for name in "abcde":
        enter(crowd, ticket(name, 5, bucket=SMALL), 0.0)
    assert [crowd.places(0.0)[name].position for name in "abcde"] == [0, 0, 0, 0, 4]


def test_who_is_prepared_counts_and_does_not_step() -> None:
    crowd = scheduler()
    crowd.admit(ticket("prepares", 4), 0.0)
    enter(crowd, ticket("long", 30), 0.0)
    assert crowd.next_batch(0.0) == Batch(LARGE, ("long",))
    assert crowd.places(0.0)["long"].done_s == pytest.approx(0.68)
    crowd.ready("prepares")
    assert crowd.next_batch(0.0) == Batch(LARGE, ("prepares",))
    crowd.hold("prepares")
    assert crowd.next_batch(0.0) == Batch(LARGE, ("long",))


def test_pictures_count_and_not_requests() -> None:
    crowd = scheduler()
    enter(crowd, ticket("three", 3 * 5, bucket=SMALL), 0.0, rows=3)
    enter(crowd, ticket("two", 2 * 8, bucket=SMALL), 0.0, rows=2)
    enter(crowd, ticket("one", 20, bucket=SMALL), 0.0)
    batch = crowd.next_batch(0.0)
    assert batch == Batch(SMALL, ("three", "one"))
    steps = 0
    while "three" in crowd.waiting(0.0):
        crowd.stepped(Batch(SMALL, ("three",)), 0.006)
        steps += 1
    assert steps == 5


def test_a_seat_of_more_steps_than_were_expected_is_stepped_to_its_end() -> None:
    crowd = scheduler()
    crowd.admit(ticket("more", 2), 0.0)
    crowd.ready("more", steps=3)
    one = Batch(LARGE, ("more",))
    assert [crowd.stepped(one, 0.02) for _ in range(3)] == [(), (), ("more",)]


def test_a_device_that_has_become_slower_is_promised_less() -> None:
    crowd = scheduler()
    enter(crowd, ticket("first", 60), 0.0)
    now_s = 0.0
    for _ in range(40):
        batch = crowd.next_batch(now_s)
        assert batch is not None
        now_s += 0.04  # twice what was measured
        crowd.stepped(batch, 0.04)
    assert crowd.places(now_s)["first"].done_s - now_s == pytest.approx(20 * 0.04, rel=0.05)
    assert isinstance(crowd.admit(ticket("hasty", 10, deadline_s=now_s + 0.3), now_s), Refused)
    assert isinstance(crowd.admit(ticket("calm", 10, deadline_s=now_s + 0.5), now_s), Admitted)

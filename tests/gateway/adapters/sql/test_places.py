"""Where sessions are told to stand, against the order in which the queue is really claimed."""

import random
from dataclasses import dataclass, field, replace

import pytest

from gateway.adapters.sql import places
from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.queue import SqlSessionQueue
from gateway.domain.sessions import Claim, Kind, Place
from tests.gateway.adapters.sql.conftest import RULES
from tests.gateway.adapters.sql.drafts import OUTCOME, draft
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio

TOOK_S = {"geometric": 4.0, "idm_vton": 3.0}
OWNERS = ("ann", "bob", "cho", "dee")


@dataclass
class Shop:
    """A queue, those who make what is in it, and a clock that jumps to what happens next."""

    book: SqlSessionBook
    queue: SqlSessionQueue
    clock: ManualClock
    owners: dict[str, str] = field(default_factory=dict)
    engines: dict[str, str] = field(default_factory=dict)
    making: list[Claim] = field(default_factory=list)
    begun: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in TOOK_S})
    began_at: dict[tuple[str, int, int], float] = field(default_factory=dict)
    back_at: list[float] = field(default_factory=list)
    done_at: dict[str, float] = field(default_factory=dict)

    async def accept(
        self, owner: str, engine: str, items: int = 1, kind: Kind = Kind.STANDARD
    ) -> str:
        wanted = replace(draft(self.clock.now(), items, owner, kind), engine=engine)
        made = await self.book.create(wanted)
        self.owners[made.session_id] = owner
        self.engines[made.session_id] = engine
        assert made.session.place == await self.place(made.session_id)
        return made.session_id

    async def place(self, session_id: str) -> Place | None:
        found = await self.book.find(session_id, self.owners[session_id])
        assert found is not None
        return found.place

    async def claim(self, *engines: str) -> Claim | None:
        claim = await self.queue.claim("one", engines)
        if claim is not None:
            self.making.append(claim)
            self.began_at[claim.key] = self.clock.now()
            self.begun[self.engines[claim.session_id]].append(claim.session_id)
        return claim

    async def give_back(self, claim: Claim, wait_s: float) -> None:
        assert await self.queue.give_back(claim, wait_s, is_tried=True)
        self.making.remove(claim)
        self.back_at.append(self.clock.now() + wait_s)

    def ends_at(self, claim: Claim) -> float:
        return self.began_at[claim.key] + TOOK_S[self.engines[claim.session_id]]

    async def complete(self, claim: Claim) -> None:
        self.clock.time_s = max(self.clock.time_s, self.ends_at(claim))
        await self.queue.beat([one.key for one in self.making])
        assert await self.queue.complete(claim, OUTCOME)
        self.making.remove(claim)
        self.done_at[claim.session_id] = self.clock.now()

    async def empty(self) -> None:
        """Claim until nothing is left, as many at a time of each engine as are being made now."""
        room = dict.fromkeys(TOOK_S, 0)
        if not self.making:
            room = dict.fromkeys(set(self.engines.values()), 1)
        for name in self.begun:
            self.begun[name].clear()
        self.done_at.clear()
        while True:
            while claim := await self.claim(*(name for name in room if room[name])):
                room[self.engines[claim.session_id]] -= 1
            ended = min(self.making, key=self.ends_at, default=None)
            due_at = min((at for at in self.back_at if at > self.clock.now()), default=None)
            if ended is not None and (due_at is None or self.ends_at(ended) <= due_at):
                await self.complete(ended)
                room[self.engines[ended.session_id]] += 1
            elif due_at is not None:
                self.clock.time_s = due_at
            else:
                return


@pytest.fixture
async def shop(book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock) -> Shop:
    shop = Shop(book, queue, clock)
    for engine in TOOK_S:  # so that it is known how long they take
        await shop.accept("eve", engine)
        claim = await shop.claim(engine)
        assert claim is not None
        await shop.complete(claim)
    shop.owners.clear()
    return shop


async def come_and_go(shop: Shop, chance: random.Random) -> None:
    """Some are accepted; one at least of every engine is being made, begun at different times."""
    for engine in TOOK_S:
        await shop.accept("lost", engine)
        assert await shop.queue.claim("killed", [engine])
    shop.clock.time_s += RULES.lease_s + 1
    for _ in range(chance.randint(5, 12)):
        await accept_one(shop, chance)
    for engine in TOOK_S:
        for _ in range(chance.randint(1, 4)):
            shop.clock.time_s += chance.randint(1, 16) / 64
            claim = await shop.claim(engine)
            if claim is not None and chance.random() < 0.3:
                await shop.give_back(claim, chance.randint(1, 512) / 64)
        while not any(shop.engines[one.session_id] == engine for one in shop.making):
            await shop.accept("zoe", engine, kind=Kind.PREVIEW)
            shop.clock.time_s += 1 / 64
            await shop.claim(engine)
    for _ in range(chance.randint(0, 6)):
        await accept_one(shop, chance)


async def accept_one(shop: Shop, chance: random.Random) -> None:
    shop.clock.time_s += chance.randint(0, 2) / 64
    owner, engine, kind = chance.choice(OWNERS), chance.choice([*TOOK_S]), chance.choice([*Kind])
    await shop.accept(owner, engine, chance.randint(1, 3), kind)


@pytest.mark.parametrize("seed", range(12))
async def test_a_session_stands_where_it_is_really_claimed(shop: Shop, seed: int) -> None:
    await come_and_go(shop, random.Random(seed))
    now = shop.clock.now()
    making = {claim.session_id for claim in shop.making}
    told = {name: await shop.place(name) for name in shop.owners}
    await shop.empty()
    for name, place in told.items():
        order = shop.begun[shop.engines[name]]
        assert place is not None
        assert place.queue_position == (0 if name in making else order.index(name)), name
        assert place.estimate_s == pytest.approx(shop.done_at[name] - now, abs=0.051), name


async def making_three(shop: Shop) -> None:
    for owner in ("bob", "cho", "dee"):
        await shop.accept(owner, "geometric")
        assert await shop.claim("geometric")


async def test_who_has_queued_much_more_than_he_may_have_made_keeps_nobody_waiting(
    shop: Shop,
) -> None:
    await making_three(shop)
    shop.clock.time_s -= 200
    for _ in range(2):
        await shop.accept("ann", "geometric", items=200)
    shop.clock.time_s += 200
    other = await shop.accept("eve", "geometric")
    told = await shop.place(other)
    now = shop.clock.now()
    await shop.empty()
    assert told == Place(2, 8.0)
    assert shop.begun["geometric"].index(other) == 2
    assert shop.done_at[other] - now == 8.0


async def test_who_stands_far_back_is_told_how_many_stand_before_him(shop: Shop) -> None:
    await making_three(shop)
    await shop.accept("ann", "geometric", items=places.MOST_OF_ONE)
    far = await shop.accept("ann", "geometric", kind=Kind.BATCH)
    assert await shop.place(far) == Place(places.MOST_OF_ONE, 48.0)


async def test_nobody_who_waits_for_what_makes_nothing_holds_up_another_engine(
    shop: Shop,
) -> None:
    await making_three(shop)
    for owner in ("ann", "bob"):
        await shop.accept(owner, "idm_vton", items=3)
    last = await shop.accept("bob", "geometric", items=2)
    assert await shop.place(last) == Place(0, 8.0)

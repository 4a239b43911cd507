"""The models of one worker by the category they dress: the published one, and variants of it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from handlers import memory, places
from handlers.diffusion import assembly, features_origins, features_room, identity
from handlers.diffusion.assembly import Machine
from handlers.diffusion.placement import card_bytes
from handlers.diffusion.repository import Repository
from handlers.diffusion.settings import IdmVtonSettings
from handlers.diffusion.studio import Studio
from handlers.pool import Pool
from handlers.quantize import Verdict
from handlers.settings import BadSetting

_MODEL_VARIABLE: Final = "VTON_IDM_VTON_MODEL"


class Wardrobe:
    """A studio per repository, as many at once as the pool's budget allows."""

    def __init__(self, settings: IdmVtonSettings, categories: Sequence[str]) -> None:
        """Look whether every repository is there and whole; nothing is loaded yet.

        Raises BadCheckpoint naming a file, BadSetting naming the setting that is wrong.
        """
        self._settings = settings
        self._machine = Machine.of(settings)
        self._main = Repository.open(places.resolve(settings.model_path, _MODEL_VARIABLE))
        self._variants = {}
        for category, path in settings.variants.items():
            if category not in categories:
                known = ", ".join(categories)
                raise BadSetting(f"handler.variants.{category}: expected one of {known}")
            self._variants[category] = Repository.open(places.resolve(path))
        self._verdicts: dict[str, Verdict] = {}
        self._told: dict[str, Mapping[str, Any]] = {}
        self.features = features_room.open_store(settings.cache, self._machine)
        self.features.is_rehearsal = True
        self.pool: Pool[Studio] = Pool(
            self._studio, self._expected_bytes, self._budget_bytes(), memory.recover
        )

    @contextmanager
    def studio(self, category: str) -> Iterator[Studio]:
        """Give the studio for a category, loaded if it is not there; it stays while inside."""
        with self.pool.use(self.name(category)) as studio:
            yield studio

    def at_hand(self, category: str) -> bool:
        """Say whether a category's studio could be had now without waiting for other requests."""
        return self.pool.at_hand(self.name(category))

    def told(self, category: str) -> Mapping[str, Any]:
        """Give what an answer says of how the category's model runs; it was loaded before."""
        return self._told[self.name(category)]

    def forget(self) -> None:
        """Remember no person and no garment but those on the disk."""
        for studio in self.pool.models():
            studio.forget()
        self.features.clear()

    def forget_pictures(self, pictures: Collection[str]) -> int:
        """Drop what was made of these pictures, pinned garments' features apart; how much."""
        views = sum(studio.forget_pictures(pictures) for studio in self.pool.models())
        return views + features_origins.forget_pictures(self.features, pictures)

    def sweep(self) -> None:
        """Drop what is too old."""
        for studio in self.pool.models():
            studio.sweep()
        features_origins.sweep(self.features)

    def gauges(self) -> Mapping[str, float]:
        """Give counters of the models and of all their caches, and the worst error of INT8."""
        found: dict[str, float] = {**self.pool.census().gauges(), **self.features.gauges()}
        errors = [one.deviation.step_error for one in self._verdicts.values() if one.deviation]
        found["vton_quantization_error"] = max(errors, default=0.0)
        for studio in self.pool.models():
            persons, garments = studio.persons.counters(), studio.garments.counters()
            for name, value in (
                *persons.gauges("person").items(),
                *garments.gauges("garment").items(),
            ):
                found[name] = found.get(name, 0) + value
        return found

    def name(self, category: str) -> str:
        """Name the model that dresses a category."""
        return str(self._variants.get(category, self._main).path)

    def _studio(self, name: str) -> Studio:
        repository = Repository(Path(name))
        made = assembly.assemble(
            repository, self._machine, self._settings, self._verdicts.get(name)
        )
        self._verdicts[name], self._told[name] = made.verdict, made.told()
        return Studio(
            made.networks,
            self._settings.cache,
            one_by_one=self._machine.profile.one_by_one,
            features=self.features,
            digest=identity.digest(repository, made),
        )

    def _expected_bytes(self, name: str) -> int:
        """Count the weights in the type they will have; before INT8 they are there in full."""
        repository, width_bytes = Repository(Path(name)), self._machine.dtype.itemsize
        sizes = [
            tensor.numel()
            for network in repository.networks
            for tensor in repository.weights(network).values()
        ]
        return sum(sizes) * width_bytes

    def _budget_bytes(self) -> int:
        size, machine = self._settings.pool, self._machine
        if not 0 < size.budget_share <= 1:
            raise BadSetting(f"handler.pool.budget_share: not in (0, 1]: {size.budget_share}")
        if size.budget_bytes:
            return size.budget_bytes
        lives_on_card = "tryon" not in machine.profile.guests
        card = card_bytes(machine.device) if lives_on_card else None
        room = features_room.budgets(self._settings.cache, machine)
        kept_bytes = room.device_bytes if card else room.host_bytes
        return int((card or memory.host_bytes()) * size.budget_share) - kept_bytes

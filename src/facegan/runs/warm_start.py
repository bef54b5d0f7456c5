"""Beginning from a trained model: its tensors go wherever name and shape agree (IGNM 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.errors import RunError
from facegan.files import read_safetensors, sha256
from facegan.models.discriminator_file import read_discriminator
from facegan.models.store import find_source
from facegan.runs import checkpoint
from facegan.runs.directory import RunDirectory

if TYPE_CHECKING:
    from torch import Tensor, nn

# These belong to a dataset, not to what was learned.
_OF_THE_DATA = ("label_rows",)


@dataclass(frozen=True)
class Matched:
    """What a network took over.

    Attributes:
        network: `generator`, `discriminator` or `average`.
        taken: names of the tensors that fitted.
        left: names of its own that nothing fitted, so that they begin as the seed decides.
        learned: whether a weight is among those taken: a bias of one number fits everywhere.
    """

    network: str
    taken: tuple[str, ...]
    left: tuple[str, ...]
    learned: bool

    def sentence(self) -> str:
        """`discriminator: 9 of 10 tensors; not layers.0.weight`."""
        text = f"{self.network}: {len(self.taken)} of {len(self.taken) + len(self.left)} tensors"
        if not self.left:
            return text
        more = f" and {len(self.left) - 4} more" if len(self.left) > 4 else ""
        return f"{text}; not {', '.join(self.left[:4])}{more}"


@dataclass(frozen=True)
class WarmStart:
    """The tensors of a trained model.

    Attributes:
        source: where they were read.
        sha256: of the file.
        networks: network → its tensors by name.
    """

    source: str
    sha256: str
    networks: Mapping[str, Mapping[str, Tensor]]

    @classmethod
    def read(
        cls, source: Path | str, say: Callable[[str], None] = lambda message: None
    ) -> WarmStart:
        """Of a run's last checkpoint: both networks and the average; of a model: as far as kept.

        A file has the averaged generator, and where its discriminator was kept, that too.

        Args:
            source: a run's folder, a generator.safetensors file, or a model's name.
            say: told about each newer checkpoint that had to be passed over, and about a model
                that a path of the same name hides.
        """
        path = find_source(source, say)
        if path.is_dir():
            found = checkpoint.latest(RunDirectory(path).require().checkpoints, say)
            if found is None:
                raise RunError(
                    f"{path} has no whole checkpoint yet.", "Let it train until its first snapshot."
                )
            names = ("generator", "discriminator", "average")
            tensors = found.tensors()
            networks = {name: checkpoint.of_network(tensors, name) for name in names}
            return cls(str(source), sha256(found.path / checkpoint.STATE), networks)
        stored, _ = read_safetensors(path)
        # A model's weights are stored in half precision.
        tensors = {k: t.float() if t.is_floating_point() else t for k, t in stored.items()}
        networks = {"generator": tensors, "average": tensors}
        discriminator = read_discriminator(path)
        if discriminator is None:
            say(f"{source} has no discriminator beside it, so that one begins anew.")
        else:
            networks["discriminator"] = discriminator
        return cls(str(source), sha256(path), networks)

    def into(self, networks: Mapping[str, nn.Module]) -> list[Matched]:
        """Copy into each network what fits it.

        Raises:
            RunError: nothing fits anywhere.
        """
        matched = [
            _copy(name, network, self.networks[name])
            for name, network in networks.items()
            if name in self.networks
        ]
        if not any(each.learned for each in matched):
            raise RunError(
                f"Nothing in {self.source} fits the networks of this recipe.",
                "Warm-start from a model with the same kind of network and the same widths.",
            )
        return matched

    def described(self, matched: list[Matched]) -> dict[str, Any]:
        """For the provenance."""
        taken = {each.network: len(each.taken) for each in matched}
        left = {each.network: list(each.left) for each in matched}
        return {"source": self.source, "sha256": self.sha256, "taken": taken, "left": left}


def _copy(name: str, network: nn.Module, tensors: Mapping[str, Tensor]) -> Matched:
    taken, left, learned = [], [], False
    for key, own in network.state_dict().items():
        if key in _OF_THE_DATA:
            continue
        given = tensors.get(key)
        if given is not None and given.shape == own.shape and given.dtype == own.dtype:
            own.copy_(given)
            taken.append(key)
            learned = learned or own.dim() > 1
        else:
            left.append(key)
    return Matched(name, tuple(taken), tuple(left), learned)

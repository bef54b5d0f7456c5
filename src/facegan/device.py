"""Where and how a run computes: device, number format, memory layout, processes."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from facegan.errors import ConnectionLost, DeviceError

# In the environment: where processes meet, as an address that torch.distributed understands.
MEETING = "FACEGAN_MEETING"

Precision = Literal["fp32", "bf16"]
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Execution:
    """How to compute. Two runs are equal bit for bit only where this is equal.

    Attributes:
        device: `cpu`, `cuda:0`, `mps`, ….
        precision: `bf16` runs convolutions and matrix products in bfloat16 (autocast); the
            weights, the statistics and the losses stay float32.
        channels_last: whether images and weights lie in memory as [N, H, W, C].
        rank: this process's number, of `world` processes that share each batch.
        world: the number of processes.
    """

    device: torch.device
    precision: Precision = "fp32"
    channels_last: bool = False
    rank: int = 0
    world: int = 1

    @property
    def main(self) -> bool:
        """Whether this process writes files and talks to the person."""
        return self.rank == 0

    def autocast(self) -> torch.autocast:
        """The context in which networks run."""
        return torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"
        )

    def place(self, module: Network) -> Network:
        """Move a network to the device, in the chosen layout."""
        module.to(self.device)
        if self.channels_last:
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return module

    def layout(self, images: Tensor) -> Tensor:
        """Images in the layout that the networks compute in."""
        if self.channels_last:
            return images.contiguous(memory_format=torch.channels_last)
        return images.contiguous()

    def described(self) -> dict[str, Any]:
        """What decides exactness, for the provenance."""
        return {
            "device": self.device.type,
            "device_name": device_name(self.device),
            "precision": self.precision,
            "channels_last": self.channels_last,
            "threads": torch.get_num_threads(),
            "world": self.world,
        }

    def with_(self, precision: Precision, channels_last: bool) -> Execution:
        """The same place, computing in another way."""
        return replace(self, precision=precision, channels_last=channels_last)


def device_name(device: torch.device) -> str:
    """What the device calls itself."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        return torch.backends.cpu.get_cpu_capability()
    return device.type


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all that it was given; clocks are read after this."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def has_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 by itself; what only imitates it is slower with it."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False


def slow_bf16(device: torch.device) -> str:
    """What to tell who asked for bfloat16 where it is imitated; empty where it is not."""
    if has_bf16(device):
        return ""
    name = {"cpu": "processor", "cuda": "GPU"}.get(device.type, "device")
    return (
        f"This {name} ({device_name(device)}) has no units for bfloat16: bf16 is slower here than "
        "fp32, often several times."
    )


def choose_device(wanted: str) -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU; anything else is taken at its word."""
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", local)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise DeviceError(
            f"`device` {wanted}: this PyTorch ({torch.__version__}) finds no CUDA device.",
            "Use `device` cpu, or install a PyTorch built for your GPU.",
        )
    if wanted == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("`device` mps: there is no Metal device here.", "Use `device` cpu.")
    try:
        return torch.device("cuda", local) if wanted == "cuda" else torch.device(wanted)
    except RuntimeError as error:
        raise DeviceError(
            f"`device` {wanted}: PyTorch knows no such device.", "Use auto, cpu, cuda or mps."
        ) from error


def launched_processes() -> int:
    """How many processes a launcher started for this run, this one among them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextlib.contextmanager
def processes(wanted_device: str, threads: int | None = None) -> Iterator[Execution]:
    """This process's place among those that a launcher such as torchrun started.

    Args:
        wanted_device: `auto`, `cpu`, `cuda`, `mps`.
        threads: of the processor for this process; PyTorch's own choice by default.

    Raises:
        DeviceError: for a device or threads that are not there, or where the processes cannot
            meet.
        ConnectionLost: another process is gone.
    """
    if threads is not None:
        if not 1 <= threads <= 1024:
            raise DeviceError(
                f"`threads` {threads} is not possible.",
                f"This machine has {os.cpu_count()} cores: give a number from 1 to that.",
            )
        torch.set_num_threads(threads)
    world = launched_processes()
    device = choose_device(wanted_device)
    if device.type == "cuda":
        torch.backends.cudnn.deterministic = True  # some of its sums have no fixed order
    if world == 1:
        yield Execution(device)
        return
    with _connections(world):
        _meet(world, "nccl" if device.type == "cuda" else "gloo")
        try:
            yield Execution(device, rank=dist.get_rank(), world=world)
            dist.barrier()  # nobody leaves while another still sends
        finally:
            dist.destroy_process_group()


def _meet(world: int, backend: str) -> None:
    """Connect this process with the others."""
    # By default they meet at MASTER_ADDR and MASTER_PORT.
    meeting = os.environ.get(MEETING)
    try:
        rank = int(os.environ["RANK"])
        dist.init_process_group(backend, init_method=meeting, rank=rank, world_size=world)
    except (RuntimeError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise DeviceError(
            f"WORLD_SIZE is {world}, but the processes cannot meet: {reason}",
            "Give each its RANK, and all the MASTER_ADDR of one machine and a MASTER_PORT that "
            "is free there; torchrun does so. For one process, unset WORLD_SIZE.",
        ) from error


@contextlib.contextmanager
def _connections(world: int) -> Iterator[None]:
    """Say in a sentence that another process is gone."""
    try:
        yield
    except RuntimeError as error:
        # gloo's errors have no type of their own.
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        raise ConnectionLost(
            f"Another of the {world} processes has ended, or cannot be reached any more.",
            "What it said, where it ran, tells why. The last checkpoint is whole: start all "
            "processes again with the same command, and the run goes on from there.",
        ) from error


def average_(tensors: list[Tensor], world: int) -> None:
    """Replace each tensor by its mean over all processes, in one exchange."""
    if world == 1:
        return
    flat = torch.cat([t.flatten() for t in tensors])
    dist.all_reduce(flat)
    flat /= world
    offset = 0
    for tensor in tensors:
        tensor.copy_(flat[offset : offset + tensor.numel()].view_as(tensor))
        offset += tensor.numel()


def from_main(value: float, execution: Execution) -> float:
    """The main process's value, in every process."""
    if execution.world == 1:
        return value
    tensor = torch.tensor(value, device=execution.device, dtype=torch.float64)
    dist.broadcast(tensor, src=0)
    return tensor.item()


def any_process(flag: bool, execution: Execution) -> bool:
    """Whether the flag is set in any process, so that all stop after the same step."""
    if execution.world == 1:
        return flag
    tensor = torch.tensor(float(flag), device=execution.device)
    dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
    return bool(tensor.item())


def all_agree(values: tuple[object, ...], execution: Execution) -> bool:
    """Whether all processes have equal values; of strings, numbers and the like."""
    if execution.world == 1:
        return True
    digest = hashlib.sha256(repr(values).encode()).digest()[:6]
    number = float(int.from_bytes(digest, "big"))  # exact: it has 48 bits
    ends = torch.tensor([number, -number], device=execution.device, dtype=torch.float64)
    dist.all_reduce(ends, op=dist.ReduceOp.MAX)
    return ends[0].item() == -ends[1].item()


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the processor's on the device, without waiting for what it has still to do.

    By default PyTorch waits for a GPU until all work given to it is done. Here CUDA has taken its
    own copy of ordinary memory when the call returns, so that the tensor may go.
    """
    return tensor.to(device, non_blocking=device.type == "cuda")

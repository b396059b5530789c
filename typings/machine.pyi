# SPDX-License-Identifier: MIT
"""The machine below EL2, as MicroPython's machine module sees it."""

from typing import Any, Callable, Final, NoReturn, overload

PWRON_RESET: Final[int]
"""reset_cause() after a power-on or machine.reset()."""
SOFT_RESET: Final[int]
"""reset_cause() after Ctrl-D or machine.soft_reset()."""

class _Memory:
    """Addresses of EL2, one access of exactly that width each. OSError (hv.Fault) when it aborts."""

    def __getitem__(self, address: int, /) -> int: ...
    def __setitem__(self, address: int, value: int, /) -> None: ...

mem8: Final[_Memory]
"""mem8[address]: a byte."""
mem16: Final[_Memory]
"""mem16[address]: 2 bytes."""
mem32: Final[_Memory]
"""mem32[address]: 4 bytes."""
mem64: Final[_Memory]
"""mem64[address]: 8 bytes."""

def initrd() -> memoryview:
    """What the machine was started with as its initrd; its RAM is nobody else's. OSError when nothing."""

def blob(address: int, size: int, /) -> memoryview:
    """Memory outside RAM, such as flash, read-only. ValueError when it is RAM."""

def reset() -> NoReturn:
    """Reset the machine, by PSCI SYSTEM_RESET."""

def soft_reset() -> NoReturn:
    """Begin a new session: every VM ends, the interpreter starts anew."""

def bootloader() -> NoReturn:
    """NotImplementedError: the machine has none, whoever starts it loads the image."""

def reset_cause() -> int:
    """PWRON_RESET or SOFT_RESET."""

def unique_id() -> bytes:
    """MIDR_EL1 and MPIDR_EL1: which core this is."""

def freq() -> int:
    """The counter's frequency in Hz, CNTFRQ_EL0."""

def idle() -> None:
    """Wait for an interrupt; guests run meanwhile."""

def lightsleep(time_ms: int = ..., /) -> None:
    """Wait; guests run meanwhile."""

def deepsleep(time_ms: int = ..., /) -> NoReturn:
    """Wait, then reset."""

def disable_irq() -> int:
    """Mask interrupts; returns what enable_irq() takes."""

def enable_irq(state: int, /) -> None:
    """Interrupts as they were before disable_irq()."""

def time_pulse_us(pin: Any, level: int, timeout_us: int = 1_000_000, /) -> int:
    """Microseconds that a pin-like object stays at a level."""

class PinBase:
    """What a pin-like object written in Python inherits from."""

class Signal:
    """A pin-like object, perhaps inverted."""

    def __init__(self, pin: Any, *, invert: bool = False) -> None: ...
    @overload
    def value(self) -> int: ...
    @overload
    def value(self, level: int, /) -> None: ...
    def on(self) -> None: ...
    def off(self) -> None: ...

class RTC:
    """The machine's real-time clock, a PL031."""

    def __init__(self, id: int = 0, /) -> None: ...
    @overload
    def datetime(self) -> tuple[int, int, int, int, int, int, int, int]:
        """Year, month, day, weekday (0 is Monday), hour, minute, second, microsecond; or set them."""
    @overload
    def datetime(self, now: tuple[int, int, int, int, int, int, int, int], /) -> None: ...

class Timer:
    """A software timer on EL2's own."""

    ONE_SHOT: Final[int]
    PERIODIC: Final[int]
    def __init__(
        self,
        id: int = -1,
        /,
        *,
        mode: int = ...,
        period: int = ...,
        freq: float = ...,
        callback: Callable[[Timer], Any] | None = None,
    ) -> None: ...
    def init(
        self, *, mode: int = ..., period: int = ..., freq: float = ..., callback: Callable[[Timer], Any] | None = None
    ) -> None:
        """Start it: period in ms, or freq in Hz."""
    def deinit(self) -> None:
        """Stop it."""

class UART:
    """The console as a stream of bytes. It shares its input with the prompt: see micropython.kbd_intr()."""

    def __init__(
        self,
        id: int,
        /,
        baudrate: int = 0,
        bits: int = 8,
        parity: int | None = None,
        stop: int = 1,
        *,
        timeout: int = 0,
        timeout_char: int = 0,
    ) -> None: ...
    def init(self, *settings: Any, **more: Any) -> None: ...
    def deinit(self) -> None: ...
    def any(self) -> int:
        """How many bytes can be read now."""
    def read(self, size: int = ..., /) -> bytes | None: ...
    def readinto(self, buf: Any, size: int = ..., /) -> int | None: ...
    def readline(self, size: int = ..., /) -> bytes | None: ...
    def write(self, buf: Any, size: int = ..., /) -> int | None: ...
    def flush(self) -> None: ...
    def txdone(self) -> bool: ...

class Serial:
    """A serial line of the machine besides the console, as a stream that never blocks: hv.serial(n)."""

    def __init__(self, n: int, /) -> None: ...
    def any(self) -> int:
        """How many bytes can be read now."""
    def irq(self, handler: Callable[[Serial], Any] | None, /) -> None:
        """Call handler(line) soon after something has come or there is room again; None: do not."""
    def read(self, size: int = ..., /) -> bytes | None:
        """Without size: what has come by now; None: nothing."""
    def readinto(self, buf: Any, size: int = ..., /) -> int | None: ...
    def readline(self, size: int = ..., /) -> bytes | None: ...
    def write(self, buf: Any, size: int = ..., /) -> int | None:
        """Returns how many bytes there was room for; None: for none."""

class NIC:
    """A virtio network device of the machine's, in the order of QEMU's command line; it never waits. hv.Switch.uplink()
    makes it a port of a switch."""

    def __init__(self, n: int = 0, /) -> None: ...
    def irq(self, handler: Callable[[NIC], Any] | None, /) -> None:
        """Call handler(nic) soon after a frame has come or there is room again; None: do not."""
    def mac(self) -> bytes:
        """Its 6 bytes; zeros where the device names none."""
    def readinto(self, buf: Any, /) -> int | None:
        """The next frame: how many bytes; None: none has come. What does not fit is lost."""
    def write(self, frame: Any, /) -> int | None:
        """Send a frame of 14 to 1514 bytes, without its checksum. None: there is no room now."""

class _Blocks:
    def readblocks(self, block: int, buf: Any, offset: int = ..., /) -> None: ...
    def writeblocks(self, block: int, buf: Any, offset: int = ..., /) -> None: ...
    def ioctl(self, op: int, arg: int, /) -> int | None: ...

class Disk(_Blocks):
    """A virtio-mmio block device of the machine's, in the order of QEMU's command line."""

    def __init__(self, n: int = 0, /) -> None: ...

class RAMDisk(_Blocks):
    """The block device behind "/"; it lives until power-off."""

    def __init__(self) -> None: ...

class FwCfg:
    """One item of QEMU's firmware configuration device, as a read-only file."""

    def __init__(self, selector: int, size: int, text: bool = False, /) -> None: ...
    def __enter__(self) -> FwCfg: ...
    def __exit__(self, *exc: Any) -> None: ...
    def read(self, size: int = ..., /) -> Any: ...
    def readinto(self, buf: Any, size: int = ..., /) -> int: ...
    def readline(self, size: int = ..., /) -> Any: ...
    def readlines(self) -> list: ...
    def seek(self, offset: int, whence: int = ..., /) -> int: ...
    def tell(self) -> int: ...
    def close(self) -> None: ...

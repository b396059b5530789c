# SPDX-License-Identifier: MIT
"""A board with Elapid for labgrid: off, or at its prompt. Any power and console that labgrid has will do."""

import attr
from labgrid import target_factory
from labgrid.strategy import Strategy


@target_factory.reg_driver
@attr.s(eq=False)
class ElapidStrategy(Strategy):
    bindings = {"power": "PowerProtocol", "console": "ConsoleProtocol"}

    def transition(self, status):
        self.target.activate(self.power)
        self.power.off() if status == "off" else self.power.cycle()
        if status == "prompt":
            self.target.activate(self.console)
            self.console.expect(">>> ", timeout=60)

# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/why.py.
"""vm.why() and vm.explain(): in words, who answers an exit, how, what it costs, and what there is at an address."""

from typing import Any

from .syndrome import class_name as class_name, explain as explain, register as register
COSTS = 'hvc_psci_version 45 smc_psci_version 63 hvc_unknown 60 pl011_out 146 pl011_flags 118 gicd_typer_read 88\ngicd_isenabler_write 134 sgi_to_self 144 timer_expiry 56 timer_wakes 334 vcpu_switch 894 rule_hvc_const 58\nrule_hvc_count 63 rule_hvc_log 108 rule_mmio_const 89 rule_mmio_shadow 83 rule_sysreg_const 81 hvc_python 106 hvc_viper 63\nhvc_native 118 hvc_python_triple 881 mmio_load_python 151 mmio_load_viper 131 mmio_load_native 180\nmmio_store_python 136 mmio_store_viper 120 mmio_store_native 168 mmio_load_post_python 1067 sysreg_read_python 148\nsysreg_read_viper 117 sysreg_write_python 148 sysreg_write_viper 116 sysreg_native 168 break_counted 86 break_system 296\nbreak_python 275 step_function 167 step_python 298 watch_neighbour 248 watch_hit_counted 326 watch_hit_python 405\nwatch_hard_hit 440 ram_granule 3972 snapshot_first_write 1119'
def why(vm: Any, exit: Any=None) -> Any:
    """The text of vm.why()."""
def answerer(vm: Any, esr: Any, value: Any) -> Any:
    """(tier, line) of who answers in the end."""
def at(vm: Any, where: Any) -> Any:
    """The text of vm.explain()."""

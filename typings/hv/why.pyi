# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/why.py.
"""vm.why() and vm.explain(): in words, who answers an exit, how, what it costs, and what there is at an address."""

from typing import Any

from .syndrome import class_name as class_name, explain as explain, register as register
COSTS = 'hvc_psci_version 55 smc_psci_version 64 hvc_unknown 88 pl011_out 146 pl011_flags 118 gicd_typer_read 88\ngicd_isenabler_write 134 sgi_to_self 144 timer_expiry 56 timer_wakes 340 vcpu_switch 900 rule_hvc_const 64\nrule_hvc_count 68 rule_hvc_log 115 rule_mmio_const 89 rule_mmio_shadow 83 rule_sysreg_const 80 hvc_python 130 hvc_viper 68\nhvc_native 123 hvc_python_triple 952 mmio_load_python 191 mmio_load_viper 132 mmio_load_native 181\nmmio_store_python 182 mmio_store_viper 121 mmio_store_native 169 mmio_load_post_python 1076 sysreg_read_python 145\nsysreg_read_viper 116 sysreg_write_python 145 sysreg_write_viper 115 sysreg_native 167 break_counted 85 break_system 295\nbreak_python 285 step_function 174 step_python 309 watch_neighbour 246 watch_hit_counted 324 watch_hit_python 410\nwatch_hard_hit 444 ram_granule 3974 snapshot_first_write 1123'
def why(vm: Any, exit: Any=None) -> Any:
    """The text of vm.why()."""
def at(vm: Any, where: Any) -> Any:
    """The text of vm.explain()."""

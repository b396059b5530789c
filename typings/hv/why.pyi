# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/why.py.
"""vm.why() and vm.explain(): in words, who answers an exit, how, what it costs, and what there is at an address."""

from typing import Any

from .syndrome import class_name as class_name, explain as explain, register as register
COSTS = 'hvc_psci_version 45 smc_psci_version 63 hvc_unknown 60 pl011_out 145 pl011_flags 117 gicd_typer_read 87\ngicd_isenabler_write 133 sgi_to_self 143 timer_expiry 56 timer_wakes 340 vcpu_switch 899 rule_hvc_const 58\nrule_hvc_count 63 rule_hvc_log 110 rule_mmio_const 88 rule_mmio_shadow 82 rule_sysreg_const 81 hvc_python 125 hvc_viper 63\nhvc_native 118 hvc_python_triple 951 mmio_load_python 190 mmio_load_viper 131 mmio_load_native 180\nmmio_store_python 181 mmio_store_viper 120 mmio_store_native 168 mmio_load_post_python 1075 sysreg_read_python 146\nsysreg_read_viper 117 sysreg_write_python 146 sysreg_write_viper 116 sysreg_native 168 break_counted 86 break_system 296\nbreak_python 286 step_function 174 step_python 309 watch_neighbour 245 watch_hit_counted 323 watch_hit_python 409\nwatch_hard_hit 447 ram_granule 3973 snapshot_first_write 1122'
def why(vm: Any, exit: Any=None) -> Any:
    """The text of vm.why()."""
def at(vm: Any, where: Any) -> Any:
    """The text of vm.explain()."""

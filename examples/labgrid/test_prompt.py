# SPDX-License-Identifier: MIT
"""pytest -p no:elapid --lg-env qemu.yaml: labgrid's plugin has a fixture `target` as well."""


def test_the_prompt_answers(target):
    target.get_driver("ElapidStrategy").transition("prompt")
    console = target.get_driver("ConsoleProtocol")
    console.write(b"import hv; hv.platform()['boot_el']\r")
    console.expect(r"\n2\r\n>>> ", timeout=60)
    target.get_driver("ElapidStrategy").transition("off")

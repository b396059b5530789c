"""Boot Linux in a virtual machine, and talk to it: make linux. Ctrl-\\ is the way back to >>>."""

import hv

vm = hv.VM("linux", ram="256M", cpus=1)
vm.linux("/disk/vmlinuz", initrd="/disk/initrd.gz", cmdline="console=ttyAMA0")
print(vm.attach() or "Linux goes on in the background: vm.attach() returns to it")

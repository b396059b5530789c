# SPDX-License-Identifier: MIT
"""What of MicroPython's insides this port leans on: the same as when it was last looked at?

    python3 tools/upkeep.py [MicroPython's source]       say what has changed
    python3 tools/upkeep.py --accept VERSION [source]    it has been looked at: keep its digests

MicroPython promises its C API and its language; these pieces it may change at any time. Each is a piece of
its source by file and pattern, and who leans on it. Their digests, by MicroPython's version, are in
tools/upkeep.json. docs/upkeep.md says what to do about a change.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KNOWN = ROOT / "tools/upkeep.json"
QUICK = ROOT / "hv_native/trap/quick.S"

BODY = r".*?^\}"  # from a line to the first brace that stands in column 0
SEAMS = {
    # name: (file, pattern, who leans on it)
    "struct bound_meth": ("py/objboundmeth.c", r"^typedef struct _mp_obj_bound_meth_t" + BODY, "bound_t of hv_native/trap/callables.h"),
    "struct closure": ("py/objclosure.c", r"^typedef struct _mp_obj_closure_t" + BODY, "closure_t of hv_native/trap/callables.h"),
    "closure's name": ("py/objclosure.c", r"MP_QSTR_closure,", "hv_native/trap/callback.c tells a closure by its type's name"),
    "map cache": ("py/map.c", r"^#define MAP_CACHE_OFFSET.*?^#endif", "`find` of hv_native/trap/quick.S"),
    "map look-up": ("py/map.c", r"^    #if MICROPY_OPT_MAP_LOOKUP_CACHE\n    // Try the cache.*?^    #endif", "`find` of hv_native/trap/quick.S"),
    "map": ("py/map.c", r"^mp_map_elem_t \*MICROPY_WRAP_MP_MAP_LOOKUP\(mp_map_lookup\)" + BODY, "ports/aarch64/lookup.c wraps it, and does its commonest cases"),
    "map growth": ("py/map.c", r"^static void mp_map_rehash\(" + BODY, "ports/aarch64/lookup.c does it earlier"),
    "map sizes": ("py/map.c", r"^static const uint16_t hash_allocation_sizes.*?^static size_t get_hash_alloc_greater_or_equal_to\(" + BODY, "add_to_full of ports/aarch64/lookup.c"),
    "slices": ("py/objslice.c", r"^void mp_obj_slice_indices\(" + BODY, "list_slice of ports/aarch64/native/glue.c"),
    "class calls": ("py/objtype.c", r"^static mp_obj_t type_call\(" + BODY, "ports/aarch64/native/calls.c"),
    "native generators": ("py/objgenerator.c", r"^typedef struct _mp_obj_gen_instance_native_t" + BODY, "generator_t of ports/aarch64/native/generators.c"),
    "attributes": ("py/objtype.c", r"^static void (mp_obj_class_lookup|mp_obj_instance_load_attr)\(" + BODY, "hv_native/trap/quick_calls.c does its commonest cases"),
    "struct float": ("py/objfloat.c", r"^typedef struct _mp_obj_float_t" + BODY, "number_t of ports/aarch64/native/floats.c"),
    "float operations": ("py/objfloat.c", r"^mp_obj_t mp_obj_float_binary_op\(" + BODY, "ports/aarch64/native/floats.c does the commonest"),
    "struct complex": ("py/objcomplex.c", r"^typedef struct _mp_obj_complex_t" + BODY, "complex_t of ports/aarch64/native/floats.c"),
    "complex operations": ("py/objcomplex.c", r"^mp_obj_t mp_obj_complex_binary_op\(" + BODY, "ports/aarch64/native/floats.c does the commonest"),
    "equality": ("py/obj.c", r"^mp_obj_t mp_obj_equal_not_equal\(" + BODY, "native_other_op of ports/aarch64/native/glue.c, by_text of ports/aarch64/lookup.c"),
    "methods": ("py/runtime.c", r"^void mp_(load_method_maybe|convert_member_lookup)\(" + BODY, "native_load_method of ports/aarch64/native/glue.c"),
    "calls": ("py/objfun.c", r"^static mp_obj_t fun_(builtin_\w+|native)_call\(" + BODY, "ports/aarch64/native/calls.c"),
    "arguments": ("py/argcheck.c", r"^void mp_arg_check_num_sig\(" + BODY, "ports/aarch64/native/calls.c"),
    "stack": ("py/cstack.c", r"^void mp_cstack_check\(" + BODY, "check_stack of ports/aarch64/native/calls.c"),
    "malloc": ("py/malloc.c", r"^void \*m_malloc\(" + BODY, "ports/aarch64/gc_alloc.c wraps it"),
    "text of a text": ("py/objstr.c", r"^mp_obj_t mp_obj_str_make_new\(" + BODY, "ports/aarch64/lookup.c wraps it"),
    "generators": ("py/objgenerator.c", r"^(static mp_obj_t gen_resume_and_raise|static mp_obj_t gen_instance_iternext|mp_vm_return_kind_t mp_obj_gen_resume)\(" + BODY, "ports/aarch64/native/glue.c, generators.c there"),
    "iterators": ("py/objpolyiter.c", r"^typedef struct _mp_obj_polymorph_iter_t" + BODY, "native_iternext of ports/aarch64/native/glue.c"),
    "next": ("py/runtime.c", r"^mp_obj_t mp_iternext\(" + BODY, "native_iternext of ports/aarch64/native/glue.c"),
    "stores": ("py/objtype.c", r"^static bool mp_obj_instance_store_attr\(" + BODY, "native_store_attr of ports/aarch64/native/glue.c"),
    "globals": ("py/runtime.c", r"^mp_obj_t MICROPY_WRAP_MP_LOAD_GLOBAL\(" + BODY, "hv_native/trap/quick_calls.c does it"),
    "protected look": ("py/runtime.c", r"^void mp_load_method_protected\(" + BODY, "ports/aarch64/lookup.c wraps it"),
    "descriptors": ("py/objtype.c", r"^static bool check_for_special_accessors\(" + BODY, "ports/aarch64/lookup.c answers what it asks of functions"),
    "allocation": ("py/gc.c", r"^void \*gc_alloc\(" + BODY, "ports/aarch64/gc_alloc.c is instead of it"),
    "allocation table": ("py/gc.c", r"^#define AT_FREE.*?^#define BLOCK_FROM_PTR", "ports/aarch64/gc_table.h reads it, gc_alloc.c and gc_collect.c write it"),
    "freeing": ("py/gc.c", r"^void \*?gc_(free|realloc)\(" + BODY, "ports/aarch64/gc_alloc.c is instead of it"),
    "collection": ("py/gc.c", r"^(static )?void gc_(collect_\w+|sweep_\w+|mark_subtree|deal_with_\w+)\([^;]*$" + BODY, "ports/aarch64/gc_collect.c is instead of it"),
    "code state": ("py/bc.h", r"^typedef struct _mp_code_state_t" + BODY, "frames of hv_native/trap/callback.c"),
    "prelude": ("py/bc.h", r"^#define MP_BC_PRELUDE_SIG_DECODE_INTO.*?^#define MP_BC_PRELUDE_SIZE_ENCODE", "prepare_frame of hv_native/trap/callback.c"),
    "frame set-up": ("py/bc.c", r"^(static )?void mp_setup_code_state_helper\(" + BODY, "prepare_frame of hv_native/trap/callback.c"),
    "scheduler": ("py/scheduler.c", r"^(static inline )?(void|bool) mp_sched_(lock|unlock|run_pending)\(" + BODY, "sched_state is written by hv_native/trap/callback.c"),
    "pending": ("py/scheduler.c", r"^void mp_handle_pending" + BODY, "callback_events_pending of hv_native/trap/callback.c"),
    "build class": ("py/modbuiltins.c", r"^(static )?mp_obj_t mp_builtin___build_class__\(" + BODY, "ports/aarch64/class_dict.h: its only dictionary"),
    "new type": ("py/objtype.c", r"^(static )?mp_obj_t mp_obj_new_type\([^;]*$" + BODY, "ports/aarch64/frozen_class.c puts a dictionary into its slot"),
    "struct property": ("py/objproperty.c", r"^typedef struct _mp_obj_property_t" + BODY, "frozen_property_t of ports/aarch64/frozen.h"),
    "new function": ("py/objfun.c", r"^mp_obj_t mp_obj_new_fun_bc\(" + BODY, "ports/aarch64/frozen_classes.py makes such"),
    "banner": ("shared/runtime/pyexec.c", r"^[^\n]*MICROPY_BANNER_MACHINE[^\n]*$", "ports/aarch64/pyexec_hooks.h puts statements into it"),
    "help": ("py/builtinhelp.c", r"^(static )?mp_obj_t mp_builtin_help\(" + BODY, "ports/aarch64/help.c calls it by another name"),
    "frozen modules": ("py/frozenmod.c", r"^mp_import_stat_t mp_find_frozen_module\(" + BODY, "ports/aarch64/pack.c wraps it"),
    "nlr": ("py/nlraarch64.c", r"^__asm\(" + r".*?\);", "-ffixed-v8 to -ffixed-v15 of ports/aarch64/Makefile: it does not save d8-d15"),
}  # fmt: skip


def opcodes():
    """The cases of py/vm.c that quick.S does itself."""
    text = QUICK.read_text()
    return re.findall(r"^    opcode  (MP_BC_\w+),", text, re.M)


def pieces(top):
    """name -> (text of the piece or None, who leans on it)."""
    found = {}
    for name, (file, pattern, who) in SEAMS.items():
        match = re.findall(f"(?ms)({pattern})", (top / file).read_text())
        found[name] = ("\n".join(m[0] if isinstance(m, tuple) else m for m in match) or None, who)
    vm = (top / "py/vm.c").read_text()
    for opcode in opcodes():
        match = re.search(rf"(?ms)^ +ENTRY\({opcode}\).*?(?=^ +ENTRY)", vm)
        match = match or re.search(rf"(?m)^ +.*{opcode}\b.*\n(?:.*\n){{8}}", vm)
        found[opcode] = (
            match and match.group(),
            "hv_native/trap/quick.S does what this case does",
        )
    return found


def digest(text):
    """Without comments and white space: a change of those changes nothing."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
    return hashlib.sha256(re.sub(r"\s+", " ", text).encode()).hexdigest()[:16]


def changes(top, known):
    """What is not as in any version that was looked at: a line each."""
    for name, (text, who) in pieces(top).items():
        if text is None:
            yield f"{name}: not found any more ({who})"
        elif digest(text) not in known.get(name, {}).values():
            yield f"{name}: has changed ({who})"


def main():
    arguments = sys.argv[1:]
    version = None
    if arguments[:1] == ["--accept"]:
        version, arguments = arguments[1], arguments[2:]
    top = Path(arguments[0]) if arguments else ROOT / "build/micropython"
    known = json.loads(KNOWN.read_text()) if KNOWN.exists() else {}
    if version:
        for name, (text, who) in pieces(top).items():
            if text is None:
                sys.exit(f"upkeep: {name} is not in {top} ({who})")
            known.setdefault(name, {})[version] = digest(text)
        KNOWN.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
        return
    found = list(changes(top, known))
    print("\n".join(found) or "upkeep: as it was when it was last looked at")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()

// SPDX-License-Identifier: MIT
// A VM's state as bytes: what each device row's save (vm/device.h) writes, and its load reads again, in the same order.
#ifndef HV_STATE_H
#define HV_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct device_stream {
    uint8_t *at;
    size_t used, room;
    size_t next;        // what is read next
    size_t end;         // of the section that is read
    bool bad;           // memory ran out, or more was read than there is
    bool loads;         // which way stream_pass goes
    bool guest_clock;   // real-time clocks go on from where they were
    bool foreign;       // it comes from a file: of another boot, another VM, or nobody knows whom
    bool ahead;         // and its count is further than this machine's may be
} device_stream_t;

void stream_put(device_stream_t *s, const void *data, size_t size);
// Zeros, and `bad`, when the section has no more.
void stream_get(device_stream_t *s, void *data, size_t size);
void stream_free(device_stream_t *s);

// Either of them: by one list of what there is a save writes it, and a load, whose stream says so, reads it again.
void stream_pass(device_stream_t *s, void *data, size_t size);

#define STREAM_PASS(s, what) stream_pass(s, &(what), sizeof(what))
#define STREAM_PUT(s, what) stream_put(s, &(what), sizeof(what))
#define STREAM_GET(s, what) stream_get(s, &(what), sizeof(what))

// A section, with a name of up to 12 letters and a version. What is between stream_begin and stream_close is in it.
size_t stream_begin(device_stream_t *s, const char *name, unsigned version);
void stream_close(device_stream_t *s, size_t begun);
// The next one has this name: its version; else 0, and nothing is read.
unsigned stream_open(device_stream_t *s, const char *name);
void stream_leave(device_stream_t *s);  // `bad` when not all of it has been read
// That must be so: if it is not, and this is from a file, it is bad.
bool stream_check(device_stream_t *s, bool ok);

#endif

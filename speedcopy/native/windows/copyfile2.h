/*
 * CopyFile2 as we call it, for windows.c and for Python.
 *
 * Under names of its own, because the SDKs that Pythons are built with know more or less of it.
 * copyfile2.c checks sizes, offsets and values against the SDK at hand.
 */
#ifndef SPEEDCOPY_COPYFILE2_H
#define SPEEDCOPY_COPYFILE2_H

#include "speedcopy.h"

enum sc_copyfile2_flag {
    SC_FAIL_IF_EXISTS = 0x1,
    SC_ALLOW_DECRYPTED_DESTINATION = 0x8, /* an encrypted src may go where nothing is encrypted */
    SC_SKIP_ALTERNATE_STREAMS = 0x8000    /* Windows 10 2004 and later */
};

enum sc_copyfile2_type {
    SC_CHUNK_FINISHED = 2,
    SC_STREAM_STARTED = 3 /* dst is open, and what it was is gone */
};

enum sc_copyfile2_chunk_flag { SC_COPY_OFFLOAD = 1 };

enum sc_copyfile2_action {
    SC_CONTINUE = 0,
    SC_CANCEL = 1, /* deletes dst */
    SC_STOP = 2    /* leaves dst, which may have its full size already */
};

/*
 * What a dst keeps of its own: READONLY, HIDDEN, SYSTEM, TEMPORARY, NOT_CONTENT_INDEXED, PINNED
 * and UNPINNED (whether a cloud's file stays on this disk: winnt.h of SDK 10.0.17134 and later).
 * The archive bit it gets with any new data.
 */
enum sc_attributes {
    SC_PINNED = 0x80000,
    SC_UNPINNED = 0x100000,
    SC_KEPT_ATTRIBUTES = 0x1 | 0x2 | 0x4 | 0x100 | 0x2000 | SC_PINNED | SC_UNPINNED
};

/* COPYFILE2_MESSAGE; all after `dst` is what it is in an SC_CHUNK_FINISHED */
typedef struct {
    int32_t type;
    uint32_t padding;
    uint32_t stream;
    uint32_t flags;
    void *src;
    void *dst;
    uint64_t chunk;
    uint64_t chunk_size;
    uint64_t stream_size;
    uint64_t stream_copied;
    uint64_t total;
    uint64_t copied;
} sc_copyfile2_message;

/* Returns one of sc_copyfile2_action. */
typedef int(__stdcall sc_copyfile2_progress)(const sc_copyfile2_message *message, void *context);

/* COPYFILE2_EXTENDED_PARAMETERS */
typedef struct {
    uint32_t size;
    uint32_t flags;
    int *cancel;
    sc_copyfile2_progress *progress;
    void *context;
} sc_copyfile2_parameters;

/*
 * Takes CopyFile2 from this library, which is kernel32.dll but for tests. To be called once,
 * before any other function. 0 if there is none.
 */
int sc_load_copyfile2(const sc_char *library);

/*
 * Does a copy of src end soon, or when `progress` says so? Wine's CopyFile2 never calls it, and
 * nothing that takes long may be without Ctrl-C.
 */
int sc_can_be_stopped(const sc_char *src);

/*
 * Copies the data of src; to a dst that exists only if not `is_new`. Returns CopyFile2's HRESULT,
 * E_INVALIDARG without calling it where it would copy more than data.
 */
int32_t sc_copyfile2(const sc_char *src, const sc_char *dst, int is_new,
                     sc_copyfile2_progress *progress, void *context);

#endif

/*
 * CopyFile2 as we call it, for copy.c and for Python.
 *
 * The names are our own, because some SDKs lack a part of the declarations. copyfile2.c compares
 * sizes, offsets and values with those of the SDK that is used.
 */
#ifndef SPEEDCOPY_COPYFILE2_H
#define SPEEDCOPY_COPYFILE2_H

#include "speedcopy.h"

enum sc_copyfile2_flag {
    SC_FAIL_IF_EXISTS = 0x1,
    SC_ALLOW_DECRYPTED_DESTINATION = 0x8, /* dst of an encrypted src may be unencrypted */
    SC_SKIP_ALTERNATE_STREAMS = 0x8000    /* Windows 10 2004 and later */
};

enum sc_copyfile2_type {
    SC_CHUNK_FINISHED = 2,
    SC_STREAM_STARTED = 3 /* dst is open, and its old content is gone */
};

enum sc_copyfile2_chunk_flag { SC_COPY_OFFLOAD = 1 };

enum sc_copyfile2_action {
    SC_CONTINUE = 0,
    SC_CANCEL = 1, /* deletes dst */
    SC_STOP = 2    /* keeps dst, which may already have its full size */
};

/*
 * The attributes that an existing dst keeps: READONLY, HIDDEN, SYSTEM, TEMPORARY,
 * NOT_CONTENT_INDEXED, PINNED and UNPINNED (whether a cloud file stays on the local disk: winnt.h
 * of SDK 10.0.17134 and later). The archive bit is set by every copy.
 */
enum sc_attributes {
    SC_PINNED = 0x80000,
    SC_UNPINNED = 0x100000,
    SC_KEPT_ATTRIBUTES = 0x1 | 0x2 | 0x4 | 0x100 | 0x2000 | SC_PINNED | SC_UNPINNED
};

/* COPYFILE2_MESSAGE; the members after `dst` are those of SC_CHUNK_FINISHED */
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
 * Looks CopyFile2 up in this library: kernel32.dll, or a test's own. Must be called before any
 * other function. 0 if the library has no CopyFile2.
 */
int sc_load_copyfile2(const sc_char *library);

/*
 * Can `progress` stop a copy of src, or is src so small that it need not? Wine's CopyFile2 never
 * calls `progress`, and Ctrl-C must stop every long copy.
 */
int sc_can_be_stopped(const sc_char *src);

/*
 * Copies the data of src. With `is_new`, fails if dst exists. Returns the HRESULT of CopyFile2, or
 * E_INVALIDARG without a call if CopyFile2 is known to copy more than data.
 */
int32_t sc_copyfile2(const sc_char *src, const sc_char *dst, int is_new,
                     sc_copyfile2_progress *progress, void *context);

#endif

/*
 * One copy on Windows: CopyFile2, and what is needed so that dst gets data only.
 *
 * If CopyFile2 fails, the copy is left to Python's read and write, as to the last row on POSIX:
 * these open files with less access and a wider share mode, read devices, and raise the errors
 * that callers know. Only a full disk is an error at once.
 */
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "copyfile2.h"
#include "files.h"
#include "paths.h"

#define ROUNDS 4               /* tries, if other programs create and remove dst meanwhile */
#define TICK (SC_TICK_MS + 16) /* milliseconds; GetTickCount64 has steps of 16 */

#ifndef ERROR_DISK_QUOTA_EXCEEDED /* mingw-w64 10 */
#define ERROR_DISK_QUOTA_EXCEEDED 1295
#endif

/* One copy on its way. */
typedef struct {
    const wchar_t *src;
    const wchar_t *dst;
    HANDLE dst_handle;   /* of the file that CopyFile2 writes; before, of an existing dst */
    DWORD attributes;    /* those that dst gets at the end */
    int64_t copied;      /* bytes */
    int64_t total;       /* bytes, 0 until CopyFile2 reports it */
    ULONGLONG next_tick; /* on the clock of GetTickCount64 */
    int is_new;          /* dst did not exist: CopyFile2 may only create it */
    int touched;         /* CopyFile2 has opened dst: the old content is gone */
    int cancelled;       /* sc_tick returned "stop" */
    int tells_end;       /* SC_TELL_END */
    void *caller;
    sc_report *report;
} sc_job;

static int is_created(const sc_job *job)
{
    return job->is_new && job->touched;
}

static int failure(int code, int place)
{
    return -(code | place);
}

/* `code` is the reason: a Win32 code, an HRESULT that is none, or 0 without a call of Windows. */
static int leave_it(const sc_job *job, DWORD code)
{
    job->report->declined[0] = (int32_t)code;
    return failure(code < SC_AT_SRC ? (int)code : 0, SC_LEAVE_IT);
}

/*
 * Looks dst up before CopyFile2 truncates it: is it src under another name? The handle stays open
 * to restore the attributes of dst, which CopyFile2 replaces by those of src.
 */
static int look_at_dst(sc_job *job)
{
    BY_HANDLE_FILE_INFORMATION info;
    job->attributes = FILE_ATTRIBUTE_ARCHIVE;
    job->dst_handle = sc_open_file(job->dst, FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES);
    if (job->dst_handle == INVALID_HANDLE_VALUE) {
        job->is_new = GetLastError() == ERROR_FILE_NOT_FOUND;
        return job->is_new ? 0 : leave_it(job, GetLastError());
    }
    job->is_new = 0;
    if (!GetFileInformationByHandle(job->dst_handle, &info))
        return leave_it(job, GetLastError());
    job->attributes |= info.dwFileAttributes & SC_KEPT_ATTRIBUTES;

    HANDLE src = sc_open_file(job->src, FILE_READ_ATTRIBUTES);
    if (src == INVALID_HANDLE_VALUE)
        return leave_it(job, GetLastError());
    int same = sc_is_same_file(job->dst_handle, src);
    CloseHandle(src);
    return same ? failure(SC_SAME_FILE, SC_AT_BOTH) : 0;
}

/* CopyFile2 writes to `file`, which may not be the file that look_at_dst() has opened. */
static void take_dst(sc_job *job, HANDLE file)
{
    if (job->dst_handle != INVALID_HANDLE_VALUE && sc_is_same_file(job->dst_handle, file))
        return;
    sc_close_file(job->dst_handle);
    job->dst_handle = sc_open_for_attributes(file, job->dst);
    job->attributes = FILE_ATTRIBUTE_ARCHIVE;
}

/*
 * CopyFile2 has reported no handle of dst; Wine's never calls on_message. CopyFile2 gives dst
 * the time of src: a file of that name with another time is another program's.
 */
static void find_dst(sc_job *job)
{
    HANDLE src = sc_open_file(job->src, FILE_READ_ATTRIBUTES);
    HANDLE dst = sc_open_file(job->dst, FILE_READ_ATTRIBUTES);
    if (sc_is_copy(src, dst)) {
        take_dst(job, dst);
    } else {
        sc_close_file(job->dst_handle);
        job->dst_handle = INVALID_HANDLE_VALUE;
    }
    sc_close_file(src);
    sc_close_file(dst);
}

/* These messages have the handle of dst: its old content is gone. */
static int is_about_data(int32_t type)
{
    return type == SC_STREAM_STARTED || type == SC_CHUNK_FINISHED;
}

/*
 * SC_CANCEL deletes dst, so it is returned only if this copy has created dst. SC_STOP keeps a dst
 * that existed, or may have existed.
 */
static int __stdcall on_message(const sc_copyfile2_message *message, void *context)
{
    sc_job *job = context;
    if (!job->touched && is_about_data(message->type)) {
        job->touched = 1;
        take_dst(job, message->dst);
    }
    if (message->type == SC_CHUNK_FINISHED) {
        int offloaded = (message->flags & SC_COPY_OFFLOAD) != 0;
        job->report->offloaded = job->report->offloaded == 1 ? 1 : offloaded;
        job->copied = (int64_t)message->copied;
        job->total = (int64_t)message->total;
    }
    if (!job->cancelled && GetTickCount64() >= job->next_tick) {
        job->cancelled = sc_tick(job->caller, job->copied, job->total ? job->total : -1);
        job->next_tick = GetTickCount64() + TICK;
    }
    return !job->cancelled ? SC_CONTINUE : is_created(job) ? SC_CANCEL : SC_STOP;
}

/*
 * Copies, and starts again if another program creates dst between look_at_dst() and CopyFile2. The
 * HRESULT of CopyFile2 is put into *copied.
 */
static int copy(sc_job *job, HRESULT *copied)
{
    for (int round = 0; round < ROUNDS; round++) {
        int result = look_at_dst(job);
        if (result < 0)
            return result;
        *copied = sc_copyfile2(job->src, job->dst, job->is_new, on_message, job);
        if (!job->is_new || job->touched || job->cancelled ||
            (*copied != HRESULT_FROM_WIN32(ERROR_FILE_EXISTS) &&
             *copied != HRESULT_FROM_WIN32(ERROR_ALREADY_EXISTS)))
            break;
        sc_close_file(job->dst_handle);
        job->dst_handle = INVALID_HANDLE_VALUE;
    }
    if (SUCCEEDED(*copied) && (!job->touched || job->dst_handle == INVALID_HANDLE_VALUE)) {
        job->touched = 1;
        find_dst(job);
    }
    return 0;
}

static int finish(sc_job *job, int wants_size)
{
    LARGE_INTEGER size;
    if (wants_size && GetFileSizeEx(job->dst_handle, &size))
        job->copied = size.QuadPart;
    if (job->tells_end)
        job->cancelled = sc_tick(job->caller, job->copied, job->copied);
    return job->cancelled ? failure(SC_STOPPED, SC_AT_BOTH) : 0;
}

/* A Win32 code is taken out of its HRESULT. E_NOTIMPL or an NTSTATUS has no Win32 code. */
static int refused(const sc_job *job, HRESULT result)
{
    DWORD code = (DWORD)result;
    if (code >> 16 == (DWORD)E_INVALIDARG >> 16)
        code &= 0xFFFF;
    if (code != ERROR_DISK_FULL && code != ERROR_HANDLE_DISK_FULL &&
        code != ERROR_DISK_QUOTA_EXCEEDED)
        return leave_it(job, code);
    job->report->declined[0] = (int32_t)code;
    return failure((int)code, SC_AT_BOTH);
}

/*
 * Attributes and time of dst are set anew, because CopyFile2 has copied those of src: a read-only
 * dst cannot be copied to again, and the standard library cannot write to a hidden one. Errors are
 * ignored: on a server that refuses this, CopyFile2 has failed. An existing dst is truncated to the
 * bytes copied, because CopyFile2 sets its size before it writes the data.
 */
static int run(sc_job *job, int wants_size)
{
    HRESULT copied = E_FAIL;
    if (!sc_can_be_stopped(job->src))
        return leave_it(job, 0);
    job->next_tick = GetTickCount64() + TICK;
    int result = copy(job, &copied);
    if (result < 0)
        return result;
    if (job->touched)
        sc_set_attributes(job->dst_handle, job->attributes);
    if (job->cancelled)
        result = failure(SC_STOPPED, SC_AT_BOTH);
    else
        result = FAILED(copied) ? refused(job, copied) : finish(job, wants_size);
    if (result == 0)
        job->report->mechanism = 0;
    else if (is_created(job))
        sc_remove(job->dst_handle, job->dst);
    else if (job->touched)
        sc_truncate(job->dst_handle, job->dst, job->copied);
    return result;
}

int sc_copy(void *caller, const sc_char *src, const sc_char *dst, int flags, sc_report *report)
{
    sc_report unread;
    sc_char *memory[2] = {NULL, NULL};
    sc_job job = {0};
    int result;
    job.dst_handle = INVALID_HANDLE_VALUE;
    job.caller = caller;
    job.tells_end = flags & SC_TELL_END;
    job.report = report ? report : &unread;
    memset(job.report, 0, sizeof *job.report);
    job.report->mechanism = job.report->offloaded = -1;
    job.src = sc_file_path(src, &memory[0]);
    job.dst = sc_file_path(dst, &memory[1]);
    if (flags & SC_REFLINK_ALWAYS)
        result = failure(WSAEOPNOTSUPP, SC_AT_BOTH);
    else if (flags & SC_REFLINK_NEVER || !(flags & SC_KEEP_HOLES) || !job.src || !job.dst)
        result = leave_it(&job, 0);
    else
        result = run(&job, report || job.tells_end);
    job.report->copied = job.copied;
    sc_close_file(job.dst_handle);
    free(memory[0]);
    free(memory[1]);
    return result;
}

const char *sc_mechanism_name(int row)
{
    return row == 0 ? "CopyFile2" : NULL;
}

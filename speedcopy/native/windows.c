/*
 * One copy on Windows: CopyFile2, and what makes it copy data only.
 *
 * Wherever CopyFile2 is refused something, the standard library has the last word, as read and
 * write have on POSIX: it opens with less rights and shares more, reads devices, and its errors
 * are the ones that callers know. Only a full disk is believed at once.
 */
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "copyfile2.h"
#include "paths.h"

#define TICK (50 + 16) /* milliseconds; GetTickCount64 counts in steps of 16 */

#ifndef ERROR_DISK_QUOTA_EXCEEDED /* mingw-w64 10 */
#define ERROR_DISK_QUOTA_EXCEEDED 1295
#endif

/* What a dst keeps of its own; the archive bit it gets with any new data. */
#define KEPT_ATTRIBUTES                                                                            \
    (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM |                     \
     FILE_ATTRIBUTE_NOT_CONTENT_INDEXED)
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

/* One copy on its way. */
typedef struct {
    const wchar_t *src;
    const wchar_t *dst;
    HANDLE dst_handle;   /* for attributes; INVALID_HANDLE_VALUE while there is no dst */
    DWORD attributes;    /* what dst is to have */
    int64_t copied;      /* bytes */
    int64_t total;       /* bytes, 0 until CopyFile2 has told */
    ULONGLONG next_tick; /* of GetTickCount64 */
    int created;         /* dst did not exist */
    int touched;         /* CopyFile2 has begun to write */
    int cancelled;       /* sc_tick said stop */
    int tells_end;       /* SC_TELL_END */
    void *caller;
    sc_report *report;
} sc_job;

static int failure(int code, int place)
{
    return -(code | place);
}

/* `code` is why: a Win32 code, 0 if Windows was not asked, or an HRESULT that is no Win32 code. */
static int leave_it(const sc_job *job, DWORD code)
{
    job->report->declined[0] = (int32_t)code;
    return failure(code < SC_AT_SRC ? (int)code : 0, SC_LEAVE_IT);
}

/* Rights to attributes are no reading or writing: nobody's share mode is in the way. */
static HANDLE open_file(const wchar_t *path, DWORD access)
{
    return CreateFileW(path, access, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
}

static void close_file(HANDLE file)
{
    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
}

/* The short number of a file is not unique on ReFS, the long one is not everywhere. */
static int same_file(HANDLE a, const BY_HANDLE_FILE_INFORMATION *a_info, HANDLE b)
{
    BY_HANDLE_FILE_INFORMATION b_info;
    FILE_ID_INFO a_id, b_id;
    if (!GetFileInformationByHandle(b, &b_info) ||
        a_info->dwVolumeSerialNumber != b_info.dwVolumeSerialNumber ||
        a_info->nFileIndexHigh != b_info.nFileIndexHigh ||
        a_info->nFileIndexLow != b_info.nFileIndexLow)
        return 0;
    if (!GetFileInformationByHandleEx(a, FileIdInfo, &a_id, sizeof a_id) ||
        !GetFileInformationByHandleEx(b, FileIdInfo, &b_id, sizeof b_id))
        return 1;
    return memcmp(&a_id, &b_id, sizeof a_id) == 0;
}

/*
 * Looks at a dst that exists, before CopyFile2 empties it: is it src under another name? Its
 * handle is kept for its attributes, which CopyFile2 replaces by those of src.
 */
static int guard_dst(sc_job *job)
{
    BY_HANDLE_FILE_INFORMATION info;
    job->attributes = FILE_ATTRIBUTE_ARCHIVE;
    job->dst_handle = open_file(job->dst, FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES);
    if (job->dst_handle == INVALID_HANDLE_VALUE) {
        job->created = GetLastError() == ERROR_FILE_NOT_FOUND;
        return job->created ? 0 : leave_it(job, GetLastError());
    }
    if (!GetFileInformationByHandle(job->dst_handle, &info))
        return leave_it(job, GetLastError());
    job->attributes |= info.dwFileAttributes & KEPT_ATTRIBUTES;

    HANDLE src = open_file(job->src, FILE_READ_ATTRIBUTES);
    if (src == INVALID_HANDLE_VALUE)
        return leave_it(job, GetLastError());
    int same = same_file(job->dst_handle, &info, src);
    CloseHandle(src);
    return same ? failure(SC_SAME_FILE, SC_AT_BOTH) : 0;
}

/*
 * A dst that CopyFile2 has made is deleted by it; one that existed must not be, and is stopped
 * at instead.
 */
static int __stdcall on_message(const sc_copyfile2_message *message, void *context)
{
    sc_job *job = context;
    job->touched |= message->type == SC_STREAM_STARTED;
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
    return !job->cancelled ? SC_CONTINUE : job->created ? SC_CANCEL : SC_STOP;
}

static void set_attributes(HANDLE file, DWORD attributes)
{
    FILE_BASIC_INFO info = {0}; /* a time of 0 stays what it is */
    FILETIME now;
    GetSystemTimeAsFileTime(&now);
    info.LastWriteTime.LowPart = now.dwLowDateTime;
    info.LastWriteTime.HighPart = (LONG)now.dwHighDateTime;
    info.FileAttributes = attributes;
    SetFileInformationByHandle(file, FileBasicInfo, &info, sizeof info);
}

/* Wine opens no read-only file to change its attributes, but changes them by name. */
static HANDLE open_copied(const sc_job *job)
{
    const DWORD access = FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES;
    HANDLE dst = open_file(job->dst, access);
    if (dst == INVALID_HANDLE_VALUE && SetFileAttributesW(job->dst, job->attributes))
        dst = open_file(job->dst, access);
    return dst;
}

/*
 * CopyFile2 has given dst the attributes and the time of src; a read-only one could not be
 * copied to again. A server that lets us write data and nothing else has refused CopyFile2
 * before, so a failure here is not one of the copy.
 */
static int settle(sc_job *job)
{
    if (job->dst_handle == INVALID_HANDLE_VALUE)
        job->dst_handle = open_copied(job);
    if (job->dst_handle == INVALID_HANDLE_VALUE)
        return 0;
    set_attributes(job->dst_handle, job->attributes);
    return 1;
}

static int finish(sc_job *job, int wants_size)
{
    LARGE_INTEGER size;
    if (settle(job) && wants_size && GetFileSizeEx(job->dst_handle, &size))
        job->copied = size.QuadPart;
    if (job->tells_end)
        job->cancelled = sc_tick(job->caller, job->copied, job->copied);
    return job->cancelled ? failure(SC_STOPPED, SC_AT_BOTH) : 0;
}

/*
 * A dst that this copy has made goes, one that existed is cut to what was copied: its size is
 * set before its data is there. Through a handle, as dst may be a link. Wine deletes nothing.
 * The standard library, too, could not open a dst with the attributes of a hidden src.
 */
static void undo(sc_job *job)
{
    FILE_DISPOSITION_INFO gone = {TRUE};
    FILE_END_OF_FILE_INFO end;
    end.EndOfFile.QuadPart = job->copied;
    HANDLE dst = settle(job) ? open_file(job->dst, job->created ? DELETE : GENERIC_WRITE)
                             : INVALID_HANDLE_VALUE;
    if (job->created)
        SetFileInformationByHandle(dst, FileDispositionInfo, &gone, sizeof gone);
    else
        SetFileInformationByHandle(dst, FileEndOfFileInfo, &end, sizeof end);
    close_file(dst);
}

/* Only a Win32 code has an errno; E_NOTIMPL or an NTSTATUS has not. */
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

static int run(sc_job *job, int wants_size)
{
    if (!sc_can_be_stopped(job->src))
        return leave_it(job, 0);
    int result = guard_dst(job);
    if (result < 0)
        return result;
    job->next_tick = GetTickCount64() + TICK;
    HRESULT copied = sc_copyfile2(job->src, job->dst, on_message, job);
    if (job->cancelled)
        result = failure(SC_STOPPED, SC_AT_BOTH);
    else
        result = FAILED(copied) ? refused(job, copied) : finish(job, wants_size);
    if (result == 0)
        job->report->mechanism = 0;
    else if (job->touched || !(-result & SC_LEAVE_IT))
        undo(job);
    return result;
}

int sc_copy(const sc_char *src, const sc_char *dst, int flags, void *caller, sc_report *report)
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
    else if (flags & SC_REFLINK_NEVER || !job.src || !job.dst)
        result = leave_it(&job, 0);
    else
        result = run(&job, report || job.tells_end);
    job.report->copied = job.copied;
    close_file(job.dst_handle);
    free(memory[0]);
    free(memory[1]);
    return result;
}

const char *sc_mechanism_name(int row)
{
    return row == 0 ? "CopyFile2" : NULL;
}

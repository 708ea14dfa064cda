/*
 * One copy on Windows: CopyFile2, and what makes it copy data only.
 *
 * Wherever CopyFile2 is refused something, the standard library has the last word, as read and
 * write have on POSIX: it opens with less rights and shares more, reads devices, and its errors
 * are the ones that callers know. Only a full disk is believed at once.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "copyfile2.h"
#include "paths.h"

#define TICK 50                  /* milliseconds */
#define LONGEST_DEAF (4UL << 20) /* bytes that any disk takes within a tick or two */

#ifndef ERROR_DISK_QUOTA_EXCEEDED /* mingw-w64 10 */
#define ERROR_DISK_QUOTA_EXCEEDED 1295
#endif

/* The attributes that belong to a file's data no more than its time does. */
#define KEPT_ATTRIBUTES                                                                            \
    (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM |                     \
     FILE_ATTRIBUTE_NOT_CONTENT_INDEXED)
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

/* Without C11's _Static_assert, which MSVC has on request only. */
#define SC_CHECK(name, is_true) typedef char sc_check_##name[(is_true) ? 1 : -1]
#define SC_CHECK_PARAMETER(ours, theirs)                                                           \
    SC_CHECK(ours, offsetof(sc_copyfile2_parameters, ours) ==                                      \
                       offsetof(COPYFILE2_EXTENDED_PARAMETERS, theirs))
#define SC_CHECK_CHUNK(ours, theirs)                                                               \
    SC_CHECK(chunk_##ours, offsetof(sc_copyfile2_message, ours) ==                                 \
                               offsetof(COPYFILE2_MESSAGE, Info.ChunkFinished.theirs))

SC_CHECK(parameters, sizeof(sc_copyfile2_parameters) == sizeof(COPYFILE2_EXTENDED_PARAMETERS));
SC_CHECK_PARAMETER(size, dwSize);
SC_CHECK_PARAMETER(flags, dwCopyFlags);
SC_CHECK_PARAMETER(cancel, pfCancel);
SC_CHECK_PARAMETER(progress, pProgressRoutine);
SC_CHECK_PARAMETER(context, pvCallbackContext);
SC_CHECK(type, offsetof(sc_copyfile2_message, type) == offsetof(COPYFILE2_MESSAGE, Type));
SC_CHECK_CHUNK(stream, dwStreamNumber);
SC_CHECK_CHUNK(flags, dwFlags);
SC_CHECK_CHUNK(src, hSourceFile);
SC_CHECK_CHUNK(dst, hDestinationFile);
SC_CHECK_CHUNK(chunk, uliChunkNumber);
SC_CHECK_CHUNK(chunk_size, uliChunkSize);
SC_CHECK_CHUNK(stream_size, uliStreamSize);
SC_CHECK_CHUNK(stream_copied, uliStreamBytesTransferred);
SC_CHECK_CHUNK(total, uliTotalFileSize);
SC_CHECK_CHUNK(copied, uliTotalBytesTransferred);
SC_CHECK(chunk_finished, (int)SC_CHUNK_FINISHED == (int)COPYFILE2_CALLBACK_CHUNK_FINISHED);
SC_CHECK(offload, SC_COPY_OFFLOAD == COPYFILE2_MESSAGE_COPY_OFFLOAD);
SC_CHECK(go_on, (int)SC_CONTINUE == (int)COPYFILE2_PROGRESS_CONTINUE);
SC_CHECK(cancelling, (int)SC_CANCEL == (int)COPYFILE2_PROGRESS_CANCEL);
SC_CHECK(stopping, (int)SC_STOP == (int)COPYFILE2_PROGRESS_STOP);
SC_CHECK(decrypted, SC_ALLOW_DECRYPTED_DESTINATION == COPY_FILE_ALLOW_DECRYPTED_DESTINATION);
#ifdef COPY_FILE_SKIP_ALTERNATE_STREAMS
SC_CHECK(streams, SC_SKIP_ALTERNATE_STREAMS == COPY_FILE_SKIP_ALTERNATE_STREAMS);
#endif

/* One copy on its way. */
typedef struct {
    const wchar_t *src;
    const wchar_t *dst;
    HANDLE dst_handle; /* for attributes; INVALID_HANDLE_VALUE while there is no dst */
    DWORD attributes;  /* what dst is to have */
    int64_t copied;    /* bytes */
    int64_t total;
    ULONGLONG next_tick; /* of GetTickCount64 */
    int created;         /* dst did not exist */
    int cancelled;       /* sc_tick said stop */
    void *progress;
    sc_report *report;
} sc_job;

static HRESULT(WINAPI *copy_file_2)(const wchar_t *, const wchar_t *, sc_copyfile2_parameters *);

/* Whether CopyFile2 is Wine's, which never calls back. */
static int is_deaf;

int sc_load(const sc_char *library)
{
    HMODULE module = LoadLibraryW(library);
    HMODULE system = GetModuleHandleW(L"ntdll.dll");
    FARPROC found = module ? GetProcAddress(module, "CopyFile2") : NULL;
    copy_file_2 = (HRESULT(WINAPI *)(const wchar_t *, const wchar_t *, sc_copyfile2_parameters *))(
        void (*)(void))found;
    is_deaf = system && GetProcAddress(system, "wine_get_version") &&
              module == GetModuleHandleW(L"kernel32.dll");
    return found != NULL;
}

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
    if (message->type == SC_CHUNK_FINISHED) {
        int offloaded = (message->flags & SC_COPY_OFFLOAD) != 0;
        job->report->offloaded = job->report->offloaded == 1 ? 1 : offloaded;
        job->copied = (int64_t)message->copied;
        job->total = (int64_t)message->total;
    }
    if (!job->cancelled && GetTickCount64() >= job->next_tick) {
        job->cancelled = sc_tick(job->progress, job->copied, job->total);
        job->next_tick = GetTickCount64() + TICK;
    }
    return !job->cancelled ? SC_CONTINUE : job->created ? SC_CANCEL : SC_STOP;
}

/*
 * Streams are not data, but Windows before 10 2004 does not know the flag: E_INVALIDARG.
 * Symbolic links are followed, as COPY_FILE_COPY_SYMLINK is not among the flags.
 */
static HRESULT ask_windows(sc_job *job)
{
    sc_copyfile2_parameters how = {0};
    how.size = sizeof how;
    how.flags = SC_ALLOW_DECRYPTED_DESTINATION | SC_SKIP_ALTERNATE_STREAMS;
    how.progress = on_message;
    how.context = job;
    job->next_tick = GetTickCount64() + TICK;
    HRESULT result = copy_file_2(job->src, job->dst, &how);
    if (result == E_INVALIDARG && !job->cancelled) {
        how.flags = SC_ALLOW_DECRYPTED_DESTINATION;
        result = copy_file_2(job->src, job->dst, &how);
    }
    return result;
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
static int finish(sc_job *job, int wants_size)
{
    LARGE_INTEGER size;
    if (job->dst_handle == INVALID_HANDLE_VALUE)
        job->dst_handle = open_copied(job);
    if (job->dst_handle != INVALID_HANDLE_VALUE) {
        set_attributes(job->dst_handle, job->attributes);
        if (wants_size && GetFileSizeEx(job->dst_handle, &size))
            job->copied = size.QuadPart;
    }
    if (job->progress)
        job->cancelled = sc_tick(job->progress, job->copied, job->copied);
    return job->cancelled ? failure(ERROR_REQUEST_ABORTED, SC_AT_BOTH) : 0;
}

/*
 * A dst that this copy has made goes, one that existed is cut to what was copied: its size is
 * set before its data is there. Through a handle, as dst may be a link. Wine deletes nothing.
 */
static void undo(sc_job *job)
{
    FILE_DISPOSITION_INFO gone = {TRUE};
    FILE_END_OF_FILE_INFO end;
    DWORD access = job->created ? DELETE | FILE_WRITE_ATTRIBUTES : GENERIC_WRITE;
    HANDLE dst = open_file(job->dst, access);
    if (dst == INVALID_HANDLE_VALUE)
        return;
    end.EndOfFile.QuadPart = job->copied;
    set_attributes(dst, job->attributes);
    if (job->created)
        SetFileInformationByHandle(dst, FileDispositionInfo, &gone, sizeof gone);
    else
        SetFileInformationByHandle(dst, FileEndOfFileInfo, &end, sizeof end);
    CloseHandle(dst);
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

/* Nothing that takes long may be without Ctrl-C. */
static int is_too_long(const sc_job *job)
{
    WIN32_FILE_ATTRIBUTE_DATA src;
    return is_deaf && GetFileAttributesExW(job->src, GetFileExInfoStandard, &src) &&
           (src.nFileSizeHigh || src.nFileSizeLow > LONGEST_DEAF);
}

static int run(sc_job *job, int wants_size)
{
    if (is_too_long(job))
        return leave_it(job, 0);
    int result = guard_dst(job);
    if (result < 0)
        return result;
    HRESULT copied = ask_windows(job);
    if (job->cancelled)
        result = failure(ERROR_REQUEST_ABORTED, SC_AT_BOTH);
    else
        result = FAILED(copied) ? refused(job, copied) : finish(job, wants_size);
    if (result == 0)
        job->report->mechanism = 0;
    else if (!(-result & SC_LEAVE_IT))
        undo(job);
    return result;
}

int sc_copy(const sc_char *src, const sc_char *dst, int flags, void *progress, sc_report *report)
{
    sc_report unread;
    sc_char *memory[2] = {NULL, NULL};
    sc_job job = {0};
    int result;
    job.dst_handle = INVALID_HANDLE_VALUE;
    job.progress = progress;
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
        result = run(&job, report || progress);
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

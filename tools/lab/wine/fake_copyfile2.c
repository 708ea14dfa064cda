/*
 * CopyFile2 as Windows documents it, for what Wine's does not do: it calls the progress routine,
 * obeys it, fails when it is told to, and lets the test act at moments that nobody can hit from
 * outside. Written against the SDK's own declarations, so that ours are held against them once
 * more.
 */
#define _KERNEL32_ /* CopyFile2 is defined here, not imported */
#include <string.h>
#include <windows.h>

#define CALLS 4
#define PREFIX 16

enum moment { BEFORE_OPEN, AFTER_START, BEFORE_RETURN };

/* tests/windows/fake_copyfile2.py has the same. */
typedef struct {
    /* what is to happen */
    HRESULT results[CALLS]; /* of each call; S_OK: it copies */
    DWORD known_flags;      /* any other is E_INVALIDARG */
    DWORD chunk;            /* bytes */
    DWORD delay;            /* milliseconds before the first message */
    DWORD pause;            /* milliseconds per chunk */
    DWORD chunk_flags;      /* as COPYFILE2_MESSAGE_COPY_OFFLOAD */
    DWORD fail_after;       /* chunks, 0: never */
    HRESULT failure;
    DWORD leaves;    /* 1: what has failed is not deleted */
    DWORD silent;    /* 1: no messages, as Wine's; 2: none that has the handle of dst */
    HRESULT stopped; /* what a stopped copy returns, S_OK: what Windows does */
    void(CALLBACK *act)(DWORD moment);
    /* what has happened */
    LONG calls;
    DWORD flags[CALLS];
    DWORD size;
    LONG messages;
    DWORD action; /* the last one */
    WCHAR src[PREFIX];
    WCHAR dst[PREFIX];
} fake_script;

__declspec(dllexport) fake_script fake;

typedef struct {
    HANDLE src;
    HANDLE dst;
    ULONGLONG total;
    ULONGLONG copied;
    DWORD chunks;
    COPYFILE2_MESSAGE_ACTION action; /* the last one */
    COPYFILE2_EXTENDED_PARAMETERS *how;
} copy;

static void act(enum moment moment)
{
    if (fake.act)
        fake.act((DWORD)moment);
}

static COPYFILE2_MESSAGE_ACTION tell(copy *job, COPYFILE2_MESSAGE_TYPE type)
{
    COPYFILE2_MESSAGE message;
    memset(&message, 0xEE, sizeof message);
    message.Type = type;
    if (fake.silent == 1)
        return job->action;
    if (type == COPYFILE2_CALLBACK_STREAM_STARTED) {
        message.Info.StreamStarted.dwStreamNumber = 1;
        message.Info.StreamStarted.hSourceFile = job->src;
        message.Info.StreamStarted.hDestinationFile = fake.silent ? NULL : job->dst;
    } else if (type == COPYFILE2_CALLBACK_CHUNK_FINISHED) {
        message.Info.ChunkFinished.dwStreamNumber = 1;
        message.Info.ChunkFinished.dwFlags = fake.chunk_flags;
        message.Info.ChunkFinished.hSourceFile = job->src;
        message.Info.ChunkFinished.hDestinationFile = job->dst;
        message.Info.ChunkFinished.uliTotalFileSize.QuadPart = job->total;
        message.Info.ChunkFinished.uliTotalBytesTransferred.QuadPart = job->copied;
    }
    InterlockedIncrement(&fake.messages);
    job->action = job->how->pProgressRoutine(&message, job->how->pvCallbackContext);
    fake.action = (DWORD)job->action;
    return job->action;
}

static HRESULT move(copy *job)
{
    char buffer[1 << 16];
    COPYFILE2_MESSAGE_ACTION action;
    Sleep(fake.delay);
    action = tell(job, COPYFILE2_CALLBACK_STREAM_STARTED);
    act(AFTER_START);
    while (action == COPYFILE2_PROGRESS_CONTINUE && job->copied < job->total) {
        DWORD got = 0, put = 0;
        action = tell(job, COPYFILE2_CALLBACK_CHUNK_STARTED);
        if (action != COPYFILE2_PROGRESS_CONTINUE)
            break;
        if (fake.fail_after && job->chunks++ == fake.fail_after) {
            tell(job, COPYFILE2_CALLBACK_ERROR);
            return fake.failure;
        }
        if (!ReadFile(job->src, buffer, min(fake.chunk, sizeof buffer), &got, NULL) ||
            !WriteFile(job->dst, buffer, got, &put, NULL))
            return HRESULT_FROM_WIN32(GetLastError());
        Sleep(fake.pause);
        job->copied += put;
        action = tell(job, COPYFILE2_CALLBACK_CHUNK_FINISHED);
        if (action == COPYFILE2_PROGRESS_CONTINUE)
            action = tell(job, COPYFILE2_CALLBACK_POLL_CONTINUE);
    }
    if (action == COPYFILE2_PROGRESS_CONTINUE)
        action = tell(job, COPYFILE2_CALLBACK_STREAM_FINISHED);
    if (action == COPYFILE2_PROGRESS_CONTINUE)
        return S_OK;
    return fake.stopped != S_OK ? fake.stopped : HRESULT_FROM_WIN32(ERROR_REQUEST_ABORTED);
}

/* Attributes and time come last; what has failed is deleted. All of it through the handle. */
static void end(copy *job, const BY_HANDLE_FILE_INFORMATION *src, HRESULT result)
{
    FILE_DISPOSITION_INFO gone = {TRUE};
    FILE_BASIC_INFO info;
    int deletes = FAILED(result) && job->action != COPYFILE2_PROGRESS_STOP && !fake.leaves;
    memset(&info, 0, sizeof info);
    info.FileAttributes = deletes ? FILE_ATTRIBUTE_NORMAL : src->dwFileAttributes;
    info.LastWriteTime.LowPart = src->ftLastWriteTime.dwLowDateTime;
    info.LastWriteTime.HighPart = (LONG)src->ftLastWriteTime.dwHighDateTime;
    SetFileInformationByHandle(job->dst, FileBasicInfo, &info, sizeof info);
    if (deletes)
        SetFileInformationByHandle(job->dst, FileDispositionInfo, &gone, sizeof gone);
}

/* The size comes first. */
static HRESULT do_copy(PCWSTR src, PCWSTR dst, COPYFILE2_EXTENDED_PARAMETERS *how)
{
    copy job = {0};
    BY_HANDLE_FILE_INFORMATION info;
    LARGE_INTEGER size, start = {0};
    HRESULT result;
    job.how = how;
    job.src = CreateFileW(src, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    if (job.src == INVALID_HANDLE_VALUE)
        return HRESULT_FROM_WIN32(GetLastError());
    GetFileInformationByHandle(job.src, &info);
    GetFileSizeEx(job.src, &size);
    job.total = (ULONGLONG)size.QuadPart;
    job.dst = CreateFileW(dst, GENERIC_READ | GENERIC_WRITE | DELETE, 0, NULL,
                          how->dwCopyFlags & COPY_FILE_FAIL_IF_EXISTS ? CREATE_NEW : CREATE_ALWAYS,
                          info.dwFileAttributes, NULL);
    if (job.dst == INVALID_HANDLE_VALUE) {
        result = HRESULT_FROM_WIN32(GetLastError());
        CloseHandle(job.src);
        return result;
    }
    SetFilePointerEx(job.dst, size, NULL, FILE_BEGIN);
    SetEndOfFile(job.dst);
    SetFilePointerEx(job.dst, start, NULL, FILE_BEGIN);
    result = move(&job);
    end(&job, &info, result);
    CloseHandle(job.src);
    CloseHandle(job.dst);
    return result;
}

__declspec(dllexport) HRESULT WINAPI CopyFile2(PCWSTR src, PCWSTR dst,
                                               COPYFILE2_EXTENDED_PARAMETERS *how)
{
    LONG call = (InterlockedIncrement(&fake.calls) - 1) % CALLS;
    HRESULT result;
    fake.flags[call] = how->dwCopyFlags;
    fake.size = how->dwSize;
    lstrcpynW(fake.src, src, PREFIX);
    lstrcpynW(fake.dst, dst, PREFIX);
    if (how->dwSize != sizeof *how || how->dwCopyFlags & ~fake.known_flags || how->pfCancel)
        return E_INVALIDARG;
    act(BEFORE_OPEN);
    result = fake.results[call] == S_OK ? do_copy(src, dst, how) : fake.results[call];
    act(BEFORE_RETURN);
    return result;
}

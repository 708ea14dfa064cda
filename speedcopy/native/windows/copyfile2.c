/*
 * CopyFile2 itself: looked up when the module is loaded, and called so that it copies data only.
 *
 * CopyFileW is not needed: CopyFile2 exists since Windows 8, and Python needs 8.1 or 10.
 */
#include "copyfile2.h"

#include <stddef.h>
#include <windows.h>

/* Not C11's _Static_assert, because MSVC has it on request only. */
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
SC_CHECK(stream_started, (int)SC_STREAM_STARTED == (int)COPYFILE2_CALLBACK_STREAM_STARTED);
SC_CHECK(offload, SC_COPY_OFFLOAD == COPYFILE2_MESSAGE_COPY_OFFLOAD);
SC_CHECK(go_on, (int)SC_CONTINUE == (int)COPYFILE2_PROGRESS_CONTINUE);
SC_CHECK(cancelling, (int)SC_CANCEL == (int)COPYFILE2_PROGRESS_CANCEL);
SC_CHECK(stopping, (int)SC_STOP == (int)COPYFILE2_PROGRESS_STOP);
SC_CHECK(started_dst, offsetof(sc_copyfile2_message, dst) ==
                          offsetof(COPYFILE2_MESSAGE, Info.StreamStarted.hDestinationFile));
SC_CHECK(exists, SC_FAIL_IF_EXISTS == COPY_FILE_FAIL_IF_EXISTS);
SC_CHECK(decrypted, SC_ALLOW_DECRYPTED_DESTINATION == COPY_FILE_ALLOW_DECRYPTED_DESTINATION);
#ifdef COPY_FILE_SKIP_ALTERNATE_STREAMS
SC_CHECK(streams, SC_SKIP_ALTERNATE_STREAMS == COPY_FILE_SKIP_ALTERNATE_STREAMS);
#endif
#ifdef FILE_ATTRIBUTE_PINNED
SC_CHECK(pinned, SC_PINNED == FILE_ATTRIBUTE_PINNED && SC_UNPINNED == FILE_ATTRIBUTE_UNPINNED);
#endif
SC_CHECK(kept, (SC_KEPT_ATTRIBUTES & ~(SC_PINNED | SC_UNPINNED)) ==
                   (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM |
                    FILE_ATTRIBUTE_TEMPORARY | FILE_ATTRIBUTE_NOT_CONTENT_INDEXED));

static HRESULT(WINAPI *copy_file_2)(const wchar_t *, const wchar_t *, sc_copyfile2_parameters *);

/* Wine's CopyFile2 calls no progress routine. Only Wine's ntdll.dll has wine_get_version. */
static int is_deaf;

/* Windows before 10 2004 does not know SC_SKIP_ALTERNATE_STREAMS, so it would copy streams too. */
static volatile LONG copies_streams;

#define NOWHERE L"\\\\?\\speedcopy" /* in no file system: missing without a request */

#define LONGEST_DEAF (4UL << 20) /* bytes that any disk writes within a tick or two */

int sc_load_copyfile2(const sc_char *library)
{
    HMODULE module = LoadLibraryW(library);
    HMODULE system = GetModuleHandleW(L"ntdll.dll");
    FARPROC found = module ? GetProcAddress(module, "CopyFile2") : NULL;
    copy_file_2 = (HRESULT(WINAPI *)(const wchar_t *, const wchar_t *, sc_copyfile2_parameters *))(
        void (*)(void))found;
    copies_streams = 0;
    is_deaf = module == GetModuleHandleW(L"kernel32.dll") && system &&
              GetProcAddress(system, "wine_get_version");
    return found != NULL;
}

int sc_can_be_stopped(const sc_char *src)
{
    WIN32_FILE_ATTRIBUTE_DATA file;
    return !is_deaf || !GetFileAttributesExW(src, GetFileExInfoStandard, &file) ||
           (file.nFileSizeHigh == 0 && file.nFileSizeLow <= LONGEST_DEAF);
}

static HRESULT ask(const sc_char *src, const sc_char *dst, uint32_t flags,
                   sc_copyfile2_progress *progress, void *context)
{
    sc_copyfile2_parameters how = {0};
    how.size = sizeof how;
    how.flags = SC_ALLOW_DECRYPTED_DESTINATION | SC_SKIP_ALTERNATE_STREAMS | flags;
    how.progress = progress;
    how.context = context;
    return copy_file_2(src, dst, &how);
}

/*
 * E_INVALIDARG may be about the flag or about a file, as a file system may return it, too. If
 * a path that cannot exist has the same error, every copy will have it.
 *
 * Symbolic links are followed, because COPY_FILE_COPY_SYMLINK is not set.
 */
int32_t sc_copyfile2(const sc_char *src, const sc_char *dst, int is_new,
                     sc_copyfile2_progress *progress, void *context)
{
    if (copies_streams)
        return E_INVALIDARG;
    HRESULT result = ask(src, dst, is_new ? SC_FAIL_IF_EXISTS : 0, progress, context);
    if (result == E_INVALIDARG)
        copies_streams = ask(NOWHERE, NOWHERE, 0, NULL, NULL) == E_INVALIDARG;
    return result;
}

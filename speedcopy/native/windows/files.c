/*
 * Files by handle. Between two calls, a rename or SetCurrentDirectory can make a path lead to
 * another file. So paths are only used to open a file, and the opened file is compared with the
 * known one.
 */
#include "files.h"

#include <string.h>

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

/* Access to attributes does not conflict with the share mode of other handles. */
HANDLE sc_open_file(const sc_char *path, DWORD access)
{
    return CreateFileW(path, access, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
}

void sc_close_file(HANDLE file)
{
    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
}

/* On ReFS, 64-bit file numbers are not unique; elsewhere, FileIdInfo may fail. 0 is no number. */
int sc_is_same_file(HANDLE a, HANDLE b)
{
    BY_HANDLE_FILE_INFORMATION a_info, b_info;
    FILE_ID_INFO a_id, b_id;
    if (!GetFileInformationByHandle(a, &a_info) || !GetFileInformationByHandle(b, &b_info) ||
        a_info.dwVolumeSerialNumber != b_info.dwVolumeSerialNumber ||
        a_info.nFileIndexHigh != b_info.nFileIndexHigh ||
        a_info.nFileIndexLow != b_info.nFileIndexLow ||
        (a_info.nFileIndexHigh == 0 && a_info.nFileIndexLow == 0))
        return 0;
    if (!GetFileInformationByHandleEx(a, FileIdInfo, &a_id, sizeof a_id) ||
        !GetFileInformationByHandleEx(b, FileIdInfo, &b_id, sizeof b_id))
        return 1;
    return memcmp(&a_id, &b_id, sizeof a_id) == 0;
}

int sc_is_copy(HANDLE a, HANDLE b)
{
    BY_HANDLE_FILE_INFORMATION a_info, b_info;
    return GetFileInformationByHandle(a, &a_info) && GetFileInformationByHandle(b, &b_info) &&
           a_info.nFileSizeHigh == b_info.nFileSizeHigh &&
           a_info.nFileSizeLow == b_info.nFileSizeLow &&
           CompareFileTime(&a_info.ftLastWriteTime, &b_info.ftLastWriteTime) == 0;
}

/*
 * ReOpenFile finds a renamed file, but fails on some file systems, and Wine's opens the old name.
 * While `file` is open, no other file gets its number.
 */
HANDLE sc_open_again(HANDLE file, const sc_char *path, DWORD access)
{
    HANDLE again = ReOpenFile(file, access, SHARE_ALL, 0);
    if (again == INVALID_HANDLE_VALUE)
        again = sc_open_file(path, access);
    if (again != INVALID_HANDLE_VALUE && !sc_is_same_file(file, again)) {
        CloseHandle(again);
        again = INVALID_HANDLE_VALUE;
    }
    return again;
}

/* Wine refuses FILE_WRITE_ATTRIBUTES for a read-only file, but sets attributes without it. */
HANDLE sc_open_for_attributes(HANDLE file, const sc_char *path)
{
    HANDLE again = sc_open_again(file, path, FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES);
    return again != INVALID_HANDLE_VALUE ? again : sc_open_again(file, path, FILE_READ_ATTRIBUTES);
}

void sc_set_attributes(HANDLE file, DWORD attributes)
{
    FILE_BASIC_INFO info = {0}; /* 0: a time stays as it is */
    FILETIME now;
    GetSystemTimeAsFileTime(&now);
    info.LastWriteTime.LowPart = now.dwLowDateTime;
    info.LastWriteTime.HighPart = (LONG)now.dwHighDateTime;
    info.FileAttributes = attributes;
    SetFileInformationByHandle(file, FileBasicInfo, &info, sizeof info);
}

void sc_remove(HANDLE file, const sc_char *path)
{
    FILE_DISPOSITION_INFO gone = {TRUE};
    HANDLE again = sc_open_again(file, path, DELETE);
    SetFileInformationByHandle(again, FileDispositionInfo, &gone, sizeof gone);
    sc_close_file(again);
}

void sc_truncate(HANDLE file, const sc_char *path, int64_t size)
{
    FILE_END_OF_FILE_INFO end;
    end.EndOfFile.QuadPart = size;
    HANDLE again = sc_open_again(file, path, GENERIC_WRITE);
    SetFileInformationByHandle(again, FileEndOfFileInfo, &end, sizeof end);
    sc_close_file(again);
}

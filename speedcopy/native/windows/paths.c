/* Paths on Windows: tells files from devices, and lifts the limit of 260 characters. */
#include "paths.h"

#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

/* The limit for directories: MAX_PATH less 12 characters for a file name "8.3". */
#define LONG_PATH 248

/* \\?\UNC replaces the first backslash of \\server; \\?\ is put before a drive. */
#define UNC_PREFIX L"\\\\?\\UNC"
#define DRIVE_PREFIX L"\\\\?\\"
#define PREFIX_ROOM 8

static int is_drive(const wchar_t *path)
{
    return ((path[0] >= L'A' && path[0] <= L'Z') || (path[0] >= L'a' && path[0] <= L'z')) &&
           path[1] == L':' && path[2] == L'\\';
}

static int is_prefixed(const wchar_t *full)
{
    return wcsncmp(full, DRIVE_PREFIX, wcslen(DRIVE_PREFIX)) == 0;
}

/* \\server\pipe\name is a named pipe, as \\.\pipe\name is. No share can have a reserved name. */
static int is_share(const wchar_t *server)
{
    static const wchar_t *const reserved[] = {L"pipe\\", L"mailslot\\", L"IPC$\\"};
    const wchar_t *share = wcschr(server, L'\\');
    for (size_t i = 0; share && i < sizeof reserved / sizeof *reserved; i++)
        if (_wcsnicmp(share + 1, reserved[i], wcslen(reserved[i])) == 0)
            return 0;
    return share != NULL;
}

/*
 * Is this a path on a drive or a share, without a stream (file:stream)? GetFullPathNameW has made
 * \\.\NUL and the like of reserved names. \\?\GLOBALROOT, \\?\pipe and \\?\Volume{...} can be
 * anything.
 */
static int is_file(const wchar_t *full)
{
    const wchar_t *name = wcsrchr(full, L'\\');
    if (!name || wcschr(name, L':'))
        return 0;
    if (is_prefixed(full)) {
        full += wcslen(DRIVE_PREFIX);
        return is_drive(full) || (_wcsnicmp(full, L"UNC\\", 4) == 0 && is_share(full + 4));
    }
    return is_drive(full) ||
           (full[0] == L'\\' && full[1] == L'\\' && full[2] != L'.' && is_share(full + 2));
}

/* Writes the prefix into the PREFIX_ROOM before `full`, and over the first \ of \\server. */
static const wchar_t *prefixed(wchar_t *full)
{
    const wchar_t *prefix = is_drive(full) ? DRIVE_PREFIX : UNC_PREFIX;
    size_t length = wcslen(prefix);
    wchar_t *start = is_drive(full) ? full - length : full + 1 - length;
    memcpy(start, prefix, length * sizeof *prefix);
    return start;
}

/*
 * Only a long path is rewritten, because after \\?\ Windows takes slashes, trailing dots and spaces
 * literally. GetFullPathNameW has replaced or removed them.
 */
const sc_char *sc_file_path(const sc_char *path, sc_char **memory)
{
    wchar_t fits[LONG_PATH];
    DWORD length = GetFullPathNameW(path, LONG_PATH, fits, NULL);
    if (length < LONG_PATH)
        return length && is_file(fits) ? path : NULL;

    *memory = malloc((PREFIX_ROOM + (size_t)length) * sizeof **memory);
    if (!*memory)
        return NULL;
    wchar_t *full = *memory + PREFIX_ROOM;
    DWORD copied = GetFullPathNameW(path, length, full, NULL);
    if (copied == 0 || copied >= length || !is_file(full))
        return NULL;
    return is_prefixed(full) ? path : prefixed(full);
}

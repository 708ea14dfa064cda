/* Paths on Windows, for copy.c. */
#ifndef SPEEDCOPY_PATHS_H
#define SPEEDCOPY_PATHS_H

#include "speedcopy.h"

/*
 * Returns the path to pass to Windows: `path` itself, or a longer one in *memory, which the caller
 * frees. Returns NULL if `path` may not be the name of a file, or if memory is lacking.
 */
const sc_char *sc_file_path(const sc_char *path, sc_char **memory);

#endif

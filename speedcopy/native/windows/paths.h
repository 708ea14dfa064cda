/* What windows.c asks of paths.c. */
#ifndef SPEEDCOPY_PATHS_H
#define SPEEDCOPY_PATHS_H

#include "speedcopy.h"

/*
 * The name of a file as Windows takes it: the caller's own, or a longer one in *memory, which
 * the caller frees. NULL if it may be the name of something else, or of nothing.
 */
const sc_char *sc_file_path(const sc_char *path, sc_char **memory);

#endif

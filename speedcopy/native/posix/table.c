/*
 * Running the table: the only loop over the rows and the only fallback rule.
 *
 * Rows are tried in order. A row that fails is declined with its errno, and the next row
 * continues at the byte that was reached. So an error of a fast mechanism, at any offset, is not
 * yet an error of the copy: the last row decides, by read and write as in the standard library.
 * Two errors end the copy at once. A disk that is full after some bytes were written is full for
 * every row. And data that is lost (`lost` in posix.h) cannot be restored by another row.
 */
#include <unistd.h>

#include "posix.h"

/*
 * Bytes that every SMB server copies in one request: the largest chunk (MS-SMB2 3.3.3). A
 * longer copy may take several requests. Of 12 copies of 32 MiB (two requests to Samba 4.17) that
 * were killed half-way, 5 still ended with the old content of dst.
 */
static const int64_t LONGEST_IN_PLACE = SC_MIB;

static int has_holes(sc_job *job)
{
    return job->flags & SC_KEEP_HOLES && S_ISREG(job->src_st.st_mode) &&
           job->src_st.st_blocks < job->size / 512 && S_ISREG(job->dst_st.st_mode) &&
           sc_holes_known(job, job->src_fd) && sc_holes_known(job, job->dst_fd);
}

/* These errnos mean that dst is unchanged: no support for the call, or src is unknown there. */
static int was_not_begun(int code)
{
    return code == EOPNOTSUPP || code == ENOTTY || code == EXDEV || code == ENOENT;
}

/*
 * A declined call may have changed the size of dst: the CIFS client sets the size before it asks
 * the server for a clone, and for ZFS it is not known. Then dst is truncated to 0 again. After an
 * errno that means "unchanged", dst is not looked up: a look-up is 3 requests on SMB, and FUSE
 * servers, none of which clones, report wrong sizes and refuse to truncate.
 */
static int clean_up(sc_job *job, int refusal)
{
    struct stat now;
    int looked;
    int is_known = job->flags & SC_REFLINK_ALWAYS && sc_may_copy_in_place(job);
    if (job->dst_fd < 0 || job->in_place || (was_not_begun(-refusal) && !is_known))
        return refusal;
    SC_REPEAT(job, looked, fstat(job->dst_fd, &now));
    if (looked == 0 && now.st_size != job->dst_st.st_size && sc_empty(job) < 0)
        job->lost = 1;
    return refusal;
}

/*
 * Copies the whole file in one call. If the size of src has changed meanwhile, the size of dst
 * says how much was copied. If old content may be left in dst, the row is declined instead. dst is
 * looked up only then, as a look-up is 3 requests on SMB.
 */
static int at_once(sc_job *job, const sc_mechanism *mechanism)
{
    struct stat now;
    int64_t moved;
    int looked;
    do
        moved = mechanism->copy(job, job->size);
    while (moved == -EINTR && !sc_interrupted(job));
    job->touched |= job->dst_fd >= 0 && (moved >= 0 || !(mechanism->traits & SC_CLONES));
    if (moved < 0)
        return clean_up(job, (int)moved);
    SC_REPEAT(job, looked, fstat(job->src_fd, &now));
    if (looked == 0 && now.st_size != job->size) {
        job->size = now.st_size;
        if (job->in_place)
            return -SC_NO_DATA;
        SC_REPEAT(job, looked, fstat(job->dst_fd, &now));
        if (looked == 0)
            job->size = now.st_size;
    }
    sc_moved(job, job->size);
    job->report->mechanism = (int32_t)(mechanism - sc_mechanisms);
    return 0;
}

/* Has dst to be truncated before this row? Not if one request replaces all of the old content. */
static int wants_empty(const sc_job *job, const sc_mechanism *mechanism)
{
    return job->in_place &&
           (!(mechanism->traits & SC_WHOLE_FILE) || job->flags & SC_REFLINK_ALWAYS ||
            job->dst_st.st_size > job->size || job->size > LONGEST_IN_PLACE);
}

static int prepare(sc_job *job, const sc_mechanism *mechanism)
{
    int result = 0;
    if (job->copied > 0)
        return 0;
    if (job->in_place && job->flags & SC_REFLINK_ALWAYS)
        result = sc_try_clone(job);
    if (result == 0 && wants_empty(job, mechanism))
        result = sc_empty(job);
    if (!(mechanism->traits & SC_WHOLE_FILE))
        job->holes = has_holes(job);
    return result;
}

static int ask(sc_job *job, const sc_mechanism *mechanism)
{
    int result = prepare(job, mechanism);
    if (result == 0)
        result = mechanism->traits & SC_WHOLE_FILE ? at_once(job, mechanism)
                                                   : sc_in_rounds(job, mechanism);
    return result;
}

/*
 * Is this row tried? No clone replaces the old content of dst without a truncation first. The
 * CIFS client (6.12) uses the size of src that it has cached: if src has become shorter on the
 * server, Samba on btrfs leaves an empty dst and reports success. And if the process is killed
 * after the client has made a shorter dst longer, dst has old and new content.
 */
static int is_wanted(const sc_job *job, const sc_mechanism *mechanism)
{
    int clones = mechanism->traits & SC_CLONES;
    int makes_dst = !!(mechanism->traits & SC_MAKES_DST);
    int regular = S_ISREG(job->src_st.st_mode) && (makes_dst || S_ISREG(job->dst_st.st_mode));
    if (makes_dst != (job->dst_fd < 0))
        return 0;
    if (job->flags & SC_SKIP_ROW << (mechanism - sc_mechanisms))
        return 0;
    if (mechanism->traits & SC_NEW_FILE && !job->created)
        return 0;
    if (job->flags & SC_REFLINK_ALWAYS)
        return clones && regular;
    if (clones && job->in_place && !wants_empty(job, mechanism))
        return 0;
    if ((job->flags & SC_REFLINK_NEVER || !(job->flags & SC_KEEP_HOLES)) &&
        mechanism->traits & (SC_CLONES | SC_MAY_CLONE))
        return 0;
    if (!(mechanism->traits & SC_ANY_FILE) && (!regular || job->size == 0))
        return 0;
    return !mechanism->applies || mechanism->applies(job);
}

/* Does this errno end the copy, so that no other row is tried? */
static int is_final(const sc_job *job, const sc_mechanism *mechanism, int code)
{
    if (mechanism->traits & SC_ANY_FILE)
        return 1;
    return job->written > 0 && (code == ENOSPC || code == EDQUOT);
}

int sc_run_last(sc_job *job)
{
    const sc_mechanism *last = sc_mechanisms;
    while (last[1].name)
        last++;
    int result = sc_in_rounds(job, last);
    if (job->report->mechanism < 0)
        job->report->mechanism = (int32_t)(last - sc_mechanisms);
    return job->cancelled ? -SC_STOPPED : result;
}

int sc_run_table(sc_job *job)
{
    if (job->report->mechanism >= 0)
        return 0; /* dst was made before it could be opened */
    for (const sc_mechanism *row = sc_mechanisms; row->name; row++) {
        if (!is_wanted(job, row))
            continue;
        int result = ask(job, row);
        if (job->cancelled)
            return -SC_STOPPED;
        if (result == 0) {
            if (job->report->mechanism < 0)
                job->report->mechanism = (int32_t)(row - sc_mechanisms);
            /* src may be longer than its st_size: it has grown, or a FUSE server was wrong */
            return job->ended || row->traits & (SC_WHOLE_FILE | SC_ANY_FILE) ? 0 : sc_run_last(job);
        }
        job->report->declined[row - sc_mechanisms] = -result;
        if (job->lost || is_final(job, row, -result))
            return result;
    }
    return -EOPNOTSUPP;
}

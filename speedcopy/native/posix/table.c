/*
 * Running the table: the one loop and the one fallback rule.
 *
 * Rows are asked in order. A row that cannot is declined with its errno, and the next one
 * goes on from the byte where it stood; so whatever a fast path says, at any offset, the last
 * row has the last word, and it is the plain read and write that the standard library would
 * have done. Only two things are believed at once: a disk that was full half-way, as no other way
 * of writing would fit, and that something is lost which no other row brings back.
 */
#include <unistd.h>

#include "posix.h"

/*
 * What every SMB server copies in one request (MS-SMB2 3.3.3: the most that one chunk holds).
 * Killed in the middle of 32 MiB, in two requests of Samba 4.17, 5 of 12 copies had the old end.
 */
static const int64_t LONGEST_IN_PLACE = SC_MIB;

static int has_holes(sc_job *job)
{
    return job->flags & SC_KEEP_HOLES && S_ISREG(job->src_st.st_mode) &&
           job->src_st.st_blocks < job->size / 512 && S_ISREG(job->dst_st.st_mode) &&
           sc_holes_known(job, job->src_fd) && sc_holes_known(job, job->dst_fd);
}

/* Errnos that say that nothing was begun: nobody can, or src is not known there. */
static int was_not_begun(int code)
{
    return code == EOPNOTSUPP || code == ENOTTY || code == EXDEV || code == ENOENT;
}

/*
 * A refused call may have given dst a size: the CIFS client sets it before it asks the server for a
 * clone, and on ZFS nobody knows. Then dst is emptied again. It is not looked at if nothing was
 * begun: that is 3 requests on SMB, and FUSE servers, none of which clones, have sizes that are not
 * true and refuse to truncate.
 */
static int clean_up(sc_job *job, int refusal)
{
    struct stat now;
    int looked;
    int is_known = job->flags & SC_REFLINK_ALWAYS && sc_may_copy_in_place(job);
    if (job->in_place || (was_not_begun(-refusal) && !is_known))
        return refusal;
    SC_REPEAT(job, looked, fstat(job->dst_fd, &now));
    if (looked == 0 && now.st_size != job->dst_st.st_size && sc_empty(job) < 0)
        job->lost = 1;
    return refusal;
}

/*
 * All in one call. Where src has changed its size meanwhile, nobody knows how much that was: dst
 * says it, unless something of its old content may be left. A look at dst is 3 requests on SMB.
 */
static int at_once(sc_job *job, const sc_mechanism *mechanism)
{
    struct stat now;
    int64_t moved;
    int looked;
    do
        moved = mechanism->copy(job, job->size);
    while (moved == -EINTR && !sc_interrupted(job));
    job->touched |= moved >= 0 || !(mechanism->traits & SC_CLONES);
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

/* Does this row want an empty dst? Its old content stays only for one request that replaces it. */
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
 * No clone in place: the CIFS client (6.12) believes the size that it knew, and with a file that
 * has become shorter on the server since, Samba on btrfs leaves an empty one and reports success.
 * And killed after the client has made a shorter dst longer, it would be a mixture.
 */
static int is_wanted(const sc_job *job, const sc_mechanism *mechanism)
{
    int clones = mechanism->traits & SC_CLONES;
    int regular = S_ISREG(job->src_st.st_mode) && S_ISREG(job->dst_st.st_mode);
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

/* Is this errno one of the copy, and no refusal of the mechanism? */
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
    for (const sc_mechanism *row = sc_mechanisms; row->name; row++) {
        if (!is_wanted(job, row))
            continue;
        int result = ask(job, row);
        if (job->cancelled)
            return -SC_STOPPED;
        if (result == 0) {
            if (job->report->mechanism < 0)
                job->report->mechanism = (int32_t)(row - sc_mechanisms);
            /* src may be longer than its size said: it has grown, or a FUSE server lied */
            return row->traits & (SC_WHOLE_FILE | SC_ANY_FILE) ? 0 : sc_run_last(job);
        }
        job->report->declined[row - sc_mechanisms] = -result;
        if (job->lost || is_final(job, row, -result))
            return result;
    }
    return -EOPNOTSUPP;
}

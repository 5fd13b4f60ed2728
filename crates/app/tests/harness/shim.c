/* LD_PRELOAD library between the service and the C library, controlled by a file of numbers that a test
 * writes. It shifts or stops the wall clock, sets the monotonic clock forward, and makes wall-clock reads,
 * thread creation or the unwinding of a panic fail. Other clocks and everything not requested are
 * unaffected. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct control {
    int64_t shift;   /* offset of the wall clock in nanoseconds */
    int64_t stopped; /* time of the stopped wall clock in nanoseconds since 1970; 0: it runs */
    int64_t looks;   /* 1: the next wall-clock read by a blocking job fails; 2: the one after */
    int64_t threads; /* number of further thread creations that fail */
    int64_t unwinds; /* not 0: unwinding fails */
    int64_t spared;  /* number of thread creations that succeed first */
    int64_t passed;  /* time that has passed on the monotonic clock besides the true one, in nanoseconds */
};

static struct control none;
static struct control *control = &none;

__attribute__((constructor)) static void open_control(void) {
    const char *path = getenv("SHIM_CONTROL");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *map = mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (map != MAP_FAILED) control = map;
}

static int is_blocking_job(void) {
    char name[17] = "";
    prctl(PR_GET_NAME, name);
    return strcmp(name, "tokio-rt-worker") == 0 || strncmp(name, "exchanges-", 10) == 0 ||
           strncmp(name, "accounts-", 9) == 0;
}

/* Counts down and returns 1 once, when it reaches 0. */
static int is_due(int64_t *count) {
    return __atomic_load_n(count, __ATOMIC_SEQ_CST) > 0 && __atomic_sub_fetch(count, 1, __ATOMIC_SEQ_CST) == 0;
}

static struct timespec wall_clock(void) {
    struct timespec now = {0, 0};
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    int64_t stopped = control->stopped;
    int64_t shown = stopped ? stopped : (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + control->shift;
    now.tv_sec = shown / 1000000000;
    now.tv_nsec = shown % 1000000000;
    return now;
}

int clock_gettime(clockid_t clock, struct timespec *out) {
    if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) {
        int result = (int)syscall(SYS_clock_gettime, clock, out);
        if (clock == CLOCK_MONOTONIC && result == 0 && control->passed) {
            int64_t nanos = out->tv_nsec + control->passed % 1000000000;
            out->tv_sec += control->passed / 1000000000 + nanos / 1000000000;
            out->tv_nsec = nanos % 1000000000;
        }
        return result;
    }
    if (control->looks > 0 && is_blocking_job() && is_due(&control->looks)) {
        errno = EINVAL;
        return -1;
    }
    *out = wall_clock();
    return 0;
}

/* C libraries read the wall clock with these two, which never fail. */
int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    (void)zone;
    struct timespec now = wall_clock();
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now = wall_clock();
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

typedef int starter(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *with) {
    if (control->threads > 0 && __atomic_sub_fetch(&control->spared, 1, __ATOMIC_SEQ_CST) < 0) {
        __atomic_sub_fetch(&control->threads, 1, __ATOMIC_SEQ_CST);
        return EAGAIN;
    }
    return ((starter *)dlsym(RTLD_NEXT, "pthread_create"))(thread, attributes, run, with);
}

typedef int raiser(void *);

int _Unwind_RaiseException(void *exception) {
    /* _URC_END_OF_STACK */
    if (control->unwinds) return 5;
    return ((raiser *)dlsym(RTLD_NEXT, "_Unwind_RaiseException"))(exception);
}

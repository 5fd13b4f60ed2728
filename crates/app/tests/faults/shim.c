/* Stands between the service and the C library (LD_PRELOAD), and goes by a file of numbers that a
 * test writes: it shifts or stops the wall clock, and makes a look at it, the start of a thread or
 * a program, or the unwinding of a panic fail. Every other clock, and all that is not asked for,
 * is left alone. */

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
    int64_t shift;   /* nanoseconds that the wall clock is ahead */
    int64_t stopped; /* where the wall clock stands still, in nanoseconds since 1970; 0: nowhere */
    int64_t looks;   /* 1: the next look at the wall clock from a blocking job fails; 2: the one after */
    int64_t threads; /* how many more starts of threads fail */
    int64_t unwinds; /* not 0: no panic is unwound */
    int64_t begins;  /* not 0: no program is begun in the process's place */
    int64_t spared;  /* how many starts of threads go well before those that fail */
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

/* Counts down to one, once. */
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
    if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return (int)syscall(SYS_clock_gettime, clock, out);
    if (control->looks > 0 && is_blocking_job() && is_due(&control->looks)) {
        errno = EINVAL;
        return -1;
    }
    *out = wall_clock();
    return 0;
}

/* The C libraries look through these two, and never in vain. */
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
    /* The end of the stack was reached. */
    if (control->unwinds) return 5;
    return ((raiser *)dlsym(RTLD_NEXT, "_Unwind_RaiseException"))(exception);
}

typedef int beginner(const char *, char *const[]);

int execvp(const char *program, char *const arguments[]) {
    if (control->begins) {
        errno = EPERM;
        return -1;
    }
    return ((beginner *)dlsym(RTLD_NEXT, "execvp"))(program, arguments);
}

/* LD_PRELOAD library between the service and its disk. It has two functions, for files in DISK_FOLDER:
 *
 * DISK_COPY names a folder that receives what a power cut would leave: bytes once their file was synced after
 * the write, and names once their folder was synced after the file was created or removed. DISK_EARLY percent
 * of the unsynced bytes get there as well, in any order, as on a real disk.
 *
 * DISK_FAULT names a file. While it exists, its first letter selects the fault: F, the disk is full; R, it is
 * read-only; S, it fails to sync.
 *
 * Writes through a memory map are not intercepted: SQLite does not map its database and log. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DESCRIPTORS 4096
#define NAMES 256

struct range {
    off_t start;
    off_t end;
};

/* File in the folder, as long as it keeps its name. */
struct file {
    char name[NAMES];
    int mirrored;  /* 0 for SQLite's shared memory, which does not survive a power cut */
    int mirror;    /* descriptor of its copy */
    int durable;   /* whether its name is durable */
    int gone;      /* unlinked */
    struct range *dirty;
    size_t count, room;
    struct file *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file folder_itself = {.name = "."};
static struct file *files;
static struct file *opened[DESCRIPTORS];
static const char *folder, *copy, *switch_file;
static int early;
static unsigned draw = 12345;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);

static void find_all(void) {
    real_open = dlsym(RTLD_NEXT, "open64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    folder = getenv("DISK_FOLDER");
    copy = getenv("DISK_COPY");
    switch_file = getenv("DISK_FAULT");
    early = getenv("DISK_EARLY") ? atoi(getenv("DISK_EARLY")) : 0;
}

static void prepare(void) { pthread_once(&once, find_all); }

/* Returns the letter of the current fault, or 0. */
static char fault(void) {
    char letter = 0;
    int descriptor = switch_file ? real_open(switch_file, O_RDONLY | O_CLOEXEC) : -1;
    if (descriptor < 0) return 0;
    if (read(descriptor, &letter, 1) != 1) letter = 0;
    real_close(descriptor);
    return letter;
}

/* Returns a path's name in the folder: "." for the folder, NULL for paths outside. */
static const char *name_of(const char *path) {
    size_t length = folder ? strlen(folder) : 0;
    if (!length || strncmp(path, folder, length)) return NULL;
    if (!path[length] || !strcmp(path + length, "/")) return ".";
    if (path[length] != '/' || strchr(path + length + 1, '/')) return NULL;
    return strlen(path + length + 1) < NAMES - 16 ? path + length + 1 : NULL;
}

static void place(char *into, size_t room, const char *prefix, const char *name) {
    snprintf(into, room, "%s/%s%s", copy, prefix, name);
}

static struct file *file_of(const char *name) {
    char path[4096];
    if (!strcmp(name, ".")) return &folder_itself;
    for (struct file *file = files; file; file = file->next)
        if (!file->gone && !strcmp(file->name, name)) return file;
    struct file *file = calloc(1, sizeof *file);
    strcpy(file->name, name);
    size_t length = strlen(name);
    file->mirrored = copy && !(length > 4 && !strcmp(name + length - 4, "-shm"));
    if (file->mirrored) {
        place(path, sizeof path, "", name);
        file->mirror = real_open(path, O_RDWR | O_CLOEXEC);
        file->durable = file->mirror >= 0;
        if (!file->durable) {
            place(path, sizeof path, "unnamed.", name);
            file->mirror = real_open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        }
    }
    file->next = files;
    return files = file;
}

static struct file *file_at(int descriptor) {
    return descriptor >= 0 && descriptor < DESCRIPTORS ? opened[descriptor] : NULL;
}

static void copy_range(int from, struct file *file, struct range range) {
    char buffer[65536];
    while (range.start < range.end) {
        size_t wanted = range.end - range.start < (off_t)sizeof buffer ? range.end - range.start : (off_t)sizeof buffer;
        ssize_t count = pread(from, buffer, wanted, range.start);
        if (count <= 0) return;
        real_pwrite(file->mirror, buffer, count, range.start);
        range.start += count;
    }
}

static void written(int descriptor, struct file *file, off_t start, off_t end) {
    if (!file->mirrored) return;
    pthread_mutex_lock(&lock);
    draw = draw * 1664525u + 1013904223u;
    if ((int)(draw >> 16) % 100 < early) copy_range(descriptor, file, (struct range){start, end});
    if (file->count && file->dirty[file->count - 1].end == start) {
        file->dirty[file->count - 1].end = end;
    } else {
        if (file->count == file->room) {
            file->room = file->room ? 2 * file->room : 64;
            file->dirty = realloc(file->dirty, file->room * sizeof *file->dirty);
        }
        file->dirty[file->count++] = (struct range){start, end};
    }
    pthread_mutex_unlock(&lock);
}

/* Makes the names in the folder durable. */
static void synced_names(void) {
    char old[4096], new[4096];
    for (struct file *file = files; copy && file; file = file->next) {
        if (!file->mirrored) continue;
        place(new, sizeof new, "", file->name);
        if (file->gone && file->durable) {
            real_unlink(new);
            file->durable = 0;
        } else if (!file->gone && !file->durable) {
            place(old, sizeof old, "unnamed.", file->name);
            rename(old, new);
            file->durable = 1;
        }
    }
}

static int synced(int descriptor, int (*real)(int)) {
    struct file *file = file_at(descriptor);
    if (!file) return real(descriptor);
    if (fault() == 'S') return errno = EIO, -1;
    pthread_mutex_lock(&lock);
    struct range *dirty = file->dirty;
    size_t count = file->count;
    file->dirty = NULL;
    file->count = file->room = 0;
    pthread_mutex_unlock(&lock);
    int result = real(descriptor);
    struct stat stat;
    pthread_mutex_lock(&lock);
    if (result == 0 && file == &folder_itself) {
        synced_names();
    } else if (result == 0 && file->mirrored && !fstat(descriptor, &stat)) {
        struct stat mirror;
        if (!fstat(file->mirror, &mirror) && mirror.st_size > stat.st_size) real_ftruncate(file->mirror, stat.st_size);
        for (size_t i = 0; i < count; i++) copy_range(descriptor, file, dirty[i]);
    }
    pthread_mutex_unlock(&lock);
    free(dirty);
    return result;
}

static int opening(const char *path, int flags, mode_t mode) {
    prepare();
    const char *name = name_of(path);
    if (name && (flags & (O_WRONLY | O_RDWR | O_CREAT)) && fault() == 'R') {
        int there = !access(path, F_OK);
        return errno = there && (flags & O_EXCL) ? EEXIST : EROFS, -1;
    }
    int descriptor = real_open(path, flags, mode);
    if (name && descriptor >= 0 && descriptor < DESCRIPTORS) {
        int saved = errno;
        pthread_mutex_lock(&lock);
        opened[descriptor] = file_of(name);
        pthread_mutex_unlock(&lock);
        errno = saved;
    }
    return descriptor;
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return opening(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return opening(path, flags, mode);
}

int close(int descriptor) {
    prepare();
    if (file_at(descriptor)) opened[descriptor] = NULL;
    return real_close(descriptor);
}

/* Returns the number of bytes to write: all, or on a full disk the first half, then none. */
static ssize_t allowed(size_t length) {
    switch (fault()) {
    case 'F':
        return length > 1 ? (ssize_t)(length / 2) : (errno = ENOSPC, -1);
    case 'R':
        return errno = EROFS, -1;
    default:
        return (ssize_t)length;
    }
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off_t start) {
    prepare();
    struct file *file = file_at(descriptor);
    if (!file) return real_pwrite(descriptor, bytes, length, start);
    ssize_t count = allowed(length);
    if (count >= 0) count = real_pwrite(descriptor, bytes, count, start);
    if (count > 0) written(descriptor, file, start, start + count);
    return count;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t start) {
    return pwrite64(descriptor, bytes, length, start);
}

ssize_t write(int descriptor, const void *bytes, size_t length) {
    prepare();
    struct file *file = file_at(descriptor);
    if (!file) return real_write(descriptor, bytes, length);
    ssize_t count = allowed(length);
    if (count >= 0) count = real_write(descriptor, bytes, count);
    off_t end = lseek(descriptor, 0, SEEK_CUR);
    if (count > 0) written(descriptor, file, end - count, end);
    return count;
}

int ftruncate64(int descriptor, off_t length) {
    prepare();
    if (file_at(descriptor) && (fault() == 'R' || fault() == 'F')) return errno = fault() == 'R' ? EROFS : ENOSPC, -1;
    return real_ftruncate(descriptor, length);
}

int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }

int fsync(int descriptor) {
    prepare();
    return synced(descriptor, real_fsync);
}

int fdatasync(int descriptor) {
    prepare();
    return synced(descriptor, real_fdatasync);
}

int unlink(const char *path) {
    prepare();
    const char *name = name_of(path);
    if (name && fault() == 'R') return errno = EROFS, -1;
    int result = real_unlink(path);
    if (name && result == 0) {
        pthread_mutex_lock(&lock);
        for (struct file *file = files; file; file = file->next)
            if (!file->gone && !strcmp(file->name, name)) file->gone = 1;
        pthread_mutex_unlock(&lock);
    }
    return result;
}

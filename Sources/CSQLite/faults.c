#include "CSQLite.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct csqlite_faults {
    sqlite3_vfs vfs;
    sqlite3_vfs *parent;
    char *name;
    // Operations left until failure; 0 and below while not armed.
    atomic_int countdown[2];
    atomic_int result[2];
    atomic_int lasting[2];
    atomic_int failing[2];
    atomic_int seen[2];
};

typedef struct {
    sqlite3_file base;
    csqlite_faults *faults;
    sqlite3_file *real;
} fault_file;

// 0, or the code the operation must fail with.
static int verdict(csqlite_faults *faults, int operation) {
    atomic_fetch_add(&faults->seen[operation], 1);
    if (atomic_load(&faults->failing[operation])) {
        return atomic_load(&faults->result[operation]);
    }
    if (atomic_load(&faults->countdown[operation]) > 0 && atomic_fetch_sub(&faults->countdown[operation], 1) == 1) {
        atomic_store(&faults->failing[operation], atomic_load(&faults->lasting[operation]));
        return atomic_load(&faults->result[operation]);
    }
    return SQLITE_OK;
}

static sqlite3_file *real_file(sqlite3_file *file) { return ((fault_file *)file)->real; }

static int file_close(sqlite3_file *file) { return real_file(file)->pMethods->xClose(real_file(file)); }

static int file_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset) {
    return real_file(file)->pMethods->xRead(real_file(file), bytes, count, offset);
}

static int file_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    sqlite3_file *real = real_file(file);
    int failure = verdict(((fault_file *)file)->faults, CSQLITE_FAULT_WRITE);
    if (failure != SQLITE_OK) {
        real->pMethods->xWrite(real, bytes, count / 2, offset);
        return failure;
    }
    return real->pMethods->xWrite(real, bytes, count, offset);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size) {
    return real_file(file)->pMethods->xTruncate(real_file(file), size);
}

static int file_sync(sqlite3_file *file, int flags) {
    int failure = verdict(((fault_file *)file)->faults, CSQLITE_FAULT_SYNC);
    return failure != SQLITE_OK ? failure : real_file(file)->pMethods->xSync(real_file(file), flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size) {
    return real_file(file)->pMethods->xFileSize(real_file(file), size);
}

static int file_lock(sqlite3_file *file, int level) {
    return real_file(file)->pMethods->xLock(real_file(file), level);
}

static int file_unlock(sqlite3_file *file, int level) {
    return real_file(file)->pMethods->xUnlock(real_file(file), level);
}

static int file_check_reserved(sqlite3_file *file, int *reserved) {
    return real_file(file)->pMethods->xCheckReservedLock(real_file(file), reserved);
}

static int file_control(sqlite3_file *file, int operation, void *argument) {
    return real_file(file)->pMethods->xFileControl(real_file(file), operation, argument);
}

static int file_sector_size(sqlite3_file *file) {
    return real_file(file)->pMethods->xSectorSize(real_file(file));
}

static int file_characteristics(sqlite3_file *file) {
    return real_file(file)->pMethods->xDeviceCharacteristics(real_file(file));
}

static int file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **memory) {
    return real_file(file)->pMethods->xShmMap(real_file(file), page, size, extend, memory);
}

static int file_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    return real_file(file)->pMethods->xShmLock(real_file(file), offset, count, flags);
}

static void file_shm_barrier(sqlite3_file *file) { real_file(file)->pMethods->xShmBarrier(real_file(file)); }

static int file_shm_unmap(sqlite3_file *file, int remove) {
    return real_file(file)->pMethods->xShmUnmap(real_file(file), remove);
}

// Version 2: with shared memory, which WAL needs, without memory mapping, which would bypass xWrite.
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

static csqlite_faults *layer(sqlite3_vfs *vfs) { return (csqlite_faults *)vfs->pAppData; }

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *result_flags) {
    fault_file *wrapper = (fault_file *)file;
    wrapper->base.pMethods = NULL;
    wrapper->faults = layer(vfs);
    wrapper->real = (sqlite3_file *)&wrapper[1];
    wrapper->real->pMethods = NULL;
    int code = layer(vfs)->parent->xOpen(layer(vfs)->parent, name, wrapper->real, flags, result_flags);
    if (wrapper->real->pMethods != NULL) {
        wrapper->base.pMethods = &methods;
    }
    return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync) {
    return layer(vfs)->parent->xDelete(layer(vfs)->parent, name, sync);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *result) {
    return layer(vfs)->parent->xAccess(layer(vfs)->parent, name, flags, result);
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int count, char *path) {
    return layer(vfs)->parent->xFullPathname(layer(vfs)->parent, name, count, path);
}

static int vfs_randomness(sqlite3_vfs *vfs, int count, char *bytes) {
    return layer(vfs)->parent->xRandomness(layer(vfs)->parent, count, bytes);
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds) {
    return layer(vfs)->parent->xSleep(layer(vfs)->parent, microseconds);
}

static int vfs_current_time(sqlite3_vfs *vfs, double *time) {
    return layer(vfs)->parent->xCurrentTime(layer(vfs)->parent, time);
}

static int vfs_last_error(sqlite3_vfs *vfs, int count, char *text) {
    return layer(vfs)->parent->xGetLastError(layer(vfs)->parent, count, text);
}

csqlite_faults *csqlite_faults_register(const char *name) {
    csqlite_faults *faults = calloc(1, sizeof *faults);
    if (faults == NULL) {
        return NULL;
    }
    faults->parent = sqlite3_vfs_find(NULL);
    faults->name = strdup(name);
    if (faults->parent == NULL || faults->name == NULL) {
        free(faults->name);
        free(faults);
        return NULL;
    }
    faults->vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = (int)sizeof(fault_file) + faults->parent->szOsFile,
        .mxPathname = faults->parent->mxPathname,
        .zName = faults->name,
        .pAppData = faults,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_pathname,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_current_time,
        .xGetLastError = vfs_last_error,
    };
    sqlite3_vfs_register(&faults->vfs, 0);
    return faults;
}

void csqlite_faults_arm(csqlite_faults *faults, int operation, int nth, int result, int lasting) {
    atomic_store(&faults->result[operation], result);
    atomic_store(&faults->lasting[operation], lasting);
    atomic_store(&faults->countdown[operation], nth);
}

void csqlite_faults_disarm(csqlite_faults *faults) {
    for (int operation = 0; operation < 2; operation++) {
        atomic_store(&faults->countdown[operation], 0);
        atomic_store(&faults->failing[operation], 0);
    }
}

int csqlite_faults_seen(csqlite_faults *faults, int operation) { return atomic_load(&faults->seen[operation]); }

void csqlite_faults_unregister(csqlite_faults *faults) {
    sqlite3_vfs_unregister(&faults->vfs);
    free(faults->name);
    free(faults);
}

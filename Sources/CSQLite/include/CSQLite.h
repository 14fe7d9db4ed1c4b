#ifndef CSQLITE_H
#define CSQLITE_H

// SQLite as the host's static library has it, and the few things Swift cannot say about it by itself.

#include <sqlite3.h>

// Bind copies of bytes (SQLITE_TRANSIENT is a cast that Swift does not import). A count of 0 binds an empty
// value, not NULL.
int csqlite_bind_text(sqlite3_stmt *statement, int index, const void *bytes, int count);
int csqlite_bind_blob(sqlite3_stmt *statement, int index, const void *bytes, int count);

// A file layer that passes everything on to the default one until it is told to fail: how tests meet a full or
// broken disk at an exact write. Each registered layer counts for itself, so tests can run side by side.
typedef struct csqlite_faults csqlite_faults;

enum csqlite_fault_operation { CSQLITE_FAULT_WRITE = 0, CSQLITE_FAULT_SYNC = 1 };

// Registers a layer under a name that is not in use. Returns NULL when out of memory.
csqlite_faults *csqlite_faults_register(const char *name);

// Makes the nth operation from now (1 is the next) return `result`, an SQLite code; when `lasting`, all after it
// too. A failing write leaves the first half of its bytes in the file, as a torn write does.
void csqlite_faults_arm(csqlite_faults *faults, int operation, int nth, int result, int lasting);

// Ends all failing.
void csqlite_faults_disarm(csqlite_faults *faults);

// How many operations of this kind the layer has seen, failed ones included.
int csqlite_faults_seen(csqlite_faults *faults, int operation);

// Forgets the layer. Every database opened through it must be closed.
void csqlite_faults_unregister(csqlite_faults *faults);

#endif

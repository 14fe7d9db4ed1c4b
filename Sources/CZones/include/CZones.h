#ifndef RONDO_ZONES_H
#define RONDO_ZONES_H

/// The catalog and the files of time zones; ZoneFiles.swift says what is where.
const unsigned char *rondo_zones_bytes(void);
/// How many bytes there are.
long rondo_zones_length(void);

#endif

#include "CZones.h"

// Made by Provisioning/make-time-zones from the tz database, which is in the public domain.
static const unsigned char zones[] = {
#embed "zones.bin"
};

const unsigned char *rondo_zones_bytes(void) { return zones; }
long rondo_zones_length(void) { return (long)sizeof zones; }

#include "CCatalog.h"

// Made from the folder Catalog by `make catalog`.
static const unsigned char catalog[] = {
#embed "catalog.json"
};

const unsigned char *rondo_catalog_bytes(void) { return catalog; }
long rondo_catalog_length(void) { return (long)sizeof catalog; }

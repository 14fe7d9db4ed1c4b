// The packages that come with the program, as one repository document.
#ifndef RONDO_CCATALOG_H
#define RONDO_CCATALOG_H

const unsigned char *rondo_catalog_bytes(void);
long rondo_catalog_length(void);

#endif

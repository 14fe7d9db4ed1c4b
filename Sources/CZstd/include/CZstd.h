// libzstd's streaming interface, as Swift imports it. Linked statically (libzstd-dev).
#ifndef RONDO_CZSTD_H
#define RONDO_CZSTD_H
#include <zstd.h>
#endif

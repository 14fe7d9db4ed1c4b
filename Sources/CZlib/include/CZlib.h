// zlib, as Swift imports it, and the two starts of it that are macros. Linked statically (zlib1g-dev).
#ifndef RONDO_CZLIB_H
#define RONDO_CZLIB_H
#include <zlib.h>

// The stream is zeroed before. Both return Z_OK or what zlib says.
int czlib_inflate_gzip(z_stream *stream);
int czlib_deflate_gzip(z_stream *stream, int level);
#endif

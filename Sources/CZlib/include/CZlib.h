// zlib, as Swift imports it, and those starts of it that are macros. Linked statically (zlib1g-dev).
#ifndef RONDO_CZLIB_H
#define RONDO_CZLIB_H
#include <zlib.h>

// The stream is zeroed before. All return Z_OK or what zlib says.
int czlib_inflate_gzip(z_stream *stream);
int czlib_inflate_raw(z_stream *stream);
int czlib_deflate_gzip(z_stream *stream, int level);
#endif

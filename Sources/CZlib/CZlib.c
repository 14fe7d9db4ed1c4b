#include "CZlib.h"

// Window sizes above 15 ask zlib for gzip's header and trailer, which it checks itself.
int czlib_inflate_gzip(z_stream *stream) { return inflateInit2(stream, 15 + 16); }

// Negative sizes: no header, no trailer, as in zip archives.
int czlib_inflate_raw(z_stream *stream) { return inflateInit2(stream, -15); }

int czlib_deflate_gzip(z_stream *stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

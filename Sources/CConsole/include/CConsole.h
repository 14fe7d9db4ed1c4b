// The console's own files: the style sheet, the script and the icon.
#ifndef RONDO_CCONSOLE_H
#define RONDO_CCONSOLE_H

const unsigned char *rondo_console_style(void);
long rondo_console_style_length(void);
const unsigned char *rondo_console_script(void);
long rondo_console_script_length(void);
const unsigned char *rondo_console_icon(void);
long rondo_console_icon_length(void);

#endif

#include "CConsole.h"

// One file each for the browser, made of one file per concern here: they are put together by the compiler.

static const unsigned char style[] = {
#embed "style/base.css"
    ,
#embed "style/parts.css"
    ,
#embed "style/catalog.css"
    ,
#embed "style/work.css"
};

static const unsigned char script[] = {
#embed "script/live.js"
    ,
#embed "script/catalog.js"
    ,
#embed "script/log.js"
    ,
#embed "script/terminal.js"
    ,
#embed "script/terminal-view.js"
};

static const unsigned char icon[] = {
#embed "icon.svg"
};

const unsigned char *rondo_console_style(void) { return style; }
long rondo_console_style_length(void) { return (long)sizeof style; }
const unsigned char *rondo_console_script(void) { return script; }
long rondo_console_script_length(void) { return (long)sizeof script; }
const unsigned char *rondo_console_icon(void) { return icon; }
long rondo_console_icon_length(void) { return (long)sizeof icon; }

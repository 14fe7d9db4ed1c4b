// libyaml's event parser, as Swift imports it. Linked statically (libyaml-dev).
#ifndef RONDO_CYAML_H
#define RONDO_CYAML_H
#include <yaml.h>
#endif

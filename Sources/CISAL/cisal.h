// ISA-L's CRC routines (libisal-dev). Only headers that thin-merge uses are included here; the
// umbrella header <isa-l.h> would also import erasure coding and compression.
#ifndef CISAL_H
#define CISAL_H

#include <stdint.h>
#include <isa-l/crc.h>
#include <isa-l/crc64.h>

#endif

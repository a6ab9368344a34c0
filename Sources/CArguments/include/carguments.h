#ifndef CARGUMENTS_H
#define CARGUMENTS_H

// The arguments of main, as the system handed them over: bytes, each ended by a zero.
int carguments_count(void);
const char *carguments_at(int index);

#endif

#ifndef CARGUMENTS_H
#define CARGUMENTS_H

// The arguments of main as the system passed them: bytes, each argument ended by a zero byte.
int carguments_count(void);
const char *carguments_at(int index);

#endif

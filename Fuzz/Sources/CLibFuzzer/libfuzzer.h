/* The functions of libFuzzer for mutators; no package of the system has its header. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Mutates bytes in place, also with what it has seen compared; returns how many there are then. */
size_t LLVMFuzzerMutate(uint8_t *_Nonnull data, size_t byte_count, size_t byte_count_max);

/* The libFuzzer function for custom mutators; no system package provides a header for it. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Mutates bytes in place, using also values seen in comparisons; returns the new byte count. */
size_t LLVMFuzzerMutate(uint8_t *_Nonnull data, size_t byte_count, size_t byte_count_max);

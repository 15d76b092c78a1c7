/* SipHash (Aumasson and Bernstein, 2012): a short-input hash that a peer who does not know the key can't
 * steer. Maps use the 1-3 variant, as the standard maps of Rust, Ruby and Python do; 2-4 is the variant of
 * the paper. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "base/base.h"

uint64_t siphash13(const uint64_t key[2], const void *data, size_t len);
uint64_t siphash24(const uint64_t key[2], const void *data, size_t len);

#endif

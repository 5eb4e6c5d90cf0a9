// Length and CRC-32 of many records, without Python objects for them.
#pragma once

#include "file.hpp"

namespace recordkit {

// Compute the length and the CRC-32 of the records at `n` offsets, best in file order, or with `payload` those of their
// bytes behind the image header and its labels. The arrays have n elements and are the caller's. Throws FormatFault for
// the first bad record, and SystemFault.
void digest_records(const File& file, const uint64_t* offsets, size_t n, bool payload, uint64_t* lengths,
                    uint32_t* checksums);

// Compare the bytes behind the image header and its labels of the records at `n` offsets in one file with those of the
// records at `n` offsets in another, or the same; out[i] becomes 1 if they are equal, otherwise 0. The arrays are the
// caller's. Throws as digest_records does; `in_other` then tells which file the offset of the FormatFault belongs to.
void compare_payloads(const File& file, const uint64_t* offsets, const File& other, const uint64_t* other_offsets,
                      size_t n, uint8_t* out, bool* in_other);

}  // namespace recordkit

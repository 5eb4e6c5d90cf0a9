// Reads many records at once, in any order.
#pragma once

#include <functional>

#include "file.hpp"
#include "records.hpp"

namespace recordkit {

// Read the records at `n` offsets, an array of the caller, and concatenate them in this order in the memory that
// `allocate` returns for a number of bytes, and owns. The file is read in file order. Return n + 1 bounds: record i has
// the bytes bounds[i] to bounds[i + 1] - 1. Throws FormatFault for the first bad record in the order of the offsets,
// and SystemFault.
std::vector<uint64_t> read_many(const File& file, const uint64_t* offsets, size_t n, unsigned n_threads,
                                const std::function<uint8_t*(size_t)>& allocate);

// Tell the system which records are read soon. Records close to each other are read as one range.
void advise(const File& file, const uint64_t* offsets, size_t n, uint64_t record_bytes);

}  // namespace recordkit

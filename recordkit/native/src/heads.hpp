// Everything in a file that looks like the head of a part of a record, for finding the whole records of a damaged file.
#pragma once

#include <vector>

#include "file.hpp"

namespace recordkit {

// Offset and second word of each magic with a cflag of 0 to 3, in file order.
struct Heads {
    std::vector<uint64_t> offsets;
    std::vector<uint32_t> words;  // cflag << 29 | length
};

// Find the heads that begin in the bytes `begin` to `end` - 1, also at offsets that are no multiple of 4: bytes that
// were inserted or removed move all records behind them. Throws SystemFault.
Heads find_heads(const File& file, uint64_t begin, uint64_t end);

}  // namespace recordkit

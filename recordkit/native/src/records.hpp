// Records of a .rec file in memory: finding, copying and framing them. The format, what counts as damage, and the texts
// of errors are defined in recordkit/formats/frame.py.
#pragma once

#include <functional>
#include <vector>

#include "common.hpp"

namespace recordkit {

constexpr uint32_t kMagic = 0xced7230a;
constexpr uint64_t kHeadSize = 8;  // magic and length word, see records.cpp
constexpr uint64_t kMaxRecordBytes = (uint64_t(1) << 29) - 1;
constexpr uint32_t kMaxLabels = uint32_t(1) << 20;  // recordkit.formats.irheader.MAX_LABELS

// Append `record` with its frame (heads, escaped magics, padding) to `out`. `record` is at most kMaxRecordBytes long.
void frame_record(Span record, std::vector<uint8_t>& out);

// Position of a record in a file.
struct Extent {
    uint64_t offset = 0;      // of its head
    uint64_t end = 0;         // offset of the next head
    uint64_t length = 0;      // bytes of the record, with its parts joined
    bool single_part = true;  // the record is the file's bytes from offset + kHeadSize on
};

// Find the record whose head is at `offset` of a file's bytes. Throws FormatFault.
Extent find_record(Span file, uint64_t offset);

// Copy the record to `out`, memory of the caller for extent.length bytes. Throws FormatFault if the record has changed
// since it was found.
void copy_record(Span file, const Extent& extent, uint8_t* out);

// Called after every kRecordsPerCheck records of long work; an exception of it ends the work.
using InterruptCheck = std::function<void()>;
constexpr size_t kRecordsPerCheck = size_t(1) << 14;

// Offsets of all records from `begin` on, in file order. Throws FormatFault at the first damage.
std::vector<uint64_t> scan(Span file, uint64_t begin = 0, const InterruptCheck& check_interrupt = [] {});

// The first multiple of 4 from `offset` on that holds a magic and a cflag of 0 or 1; file.size if there is none.
uint64_t next_head(Span file, uint64_t offset);

}  // namespace recordkit

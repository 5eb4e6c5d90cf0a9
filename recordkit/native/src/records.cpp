#include "records.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

namespace recordkit {
namespace {

constexpr uint64_t kPrefetchBytes = 4096, kCacheLineBytes = 64;

// A frame head is two little-endian words: the magic, and
//
//     bits 31-29  cflag   0: the whole record, 1: its first part, 2: a middle part, 3: its last part
//     bits 28-0   length  bytes of this part, without head and padding
constexpr int kLengthBits = 29, kFlagBits = 3;
constexpr uint32_t kLengthMask = (uint32_t(1) << kLengthBits) - 1;
enum Flag : uint8_t { kWhole, kFirst, kMiddle, kLast };
static_assert(kLengthBits + kFlagBits == 32, "flag and length fill a word");
static_assert(kLast < 1 << kFlagBits, "every flag has a code");
static_assert(kMaxRecordBytes <= kLengthMask, "the length of every record fits");
static_assert(kHeadSize == 2 * sizeof(uint32_t), "a head is two words");

uint32_t read_word(const uint8_t* bytes) {
    return uint32_t(bytes[0]) | uint32_t(bytes[1]) << 8 | uint32_t(bytes[2]) << 16 | uint32_t(bytes[3]) << 24;
}

void put_word(uint8_t* out, uint32_t word) {
    for (int n = 0; n < 4; ++n) out[n] = static_cast<uint8_t>(word >> 8 * n);
}

uint64_t padded(uint64_t size) { return (size + 3) & ~uint64_t(3); }

// The first multiple of 4 from `begin` on that holds the magic; record.size if there is none.
size_t find_magic(Span record, size_t begin) {
    static const uint8_t magic[4] = {0x0a, 0x23, 0xd7, 0xce};
    while (begin + 4 <= record.size) {
        const void* match = memmem(record.data + begin, record.size - begin, magic, 4);
        if (!match) break;
        const auto offset = static_cast<size_t>(static_cast<const uint8_t*>(match) - record.data);
        if (offset % 4 == 0) return offset;
        begin = offset + 1;
    }
    return record.size;
}

std::string hex(uint32_t word) {
    char text[11];
    std::snprintf(text, sizeof text, "0x%08x", word);
    return text;
}

FormatFault cut_short(const std::string& expected, uint64_t got, uint64_t offset) {
    return {expected, std::to_string(got) + " bytes to the end of the file", offset, true};
}

FormatFault record_changed(uint64_t offset) {
    return {"the file to keep its records while it is read", "others", offset, false, "open it again"};
}

struct Part {
    uint32_t flag;
    uint64_t begin;  // offset of the data in the file
    uint64_t length;
};

Part part_at(Span file, uint64_t offset) {
    if (offset >= file.size)
        throw FormatFault("a record head", "the end of the file at byte " + std::to_string(file.size), offset, true);
    const uint64_t n_left = file.size - offset;
    if (n_left < kHeadSize) throw cut_short("an 8-byte head", n_left, offset);
    const uint32_t magic = read_word(file.data + offset), word = read_word(file.data + offset + 4);
    if (magic != kMagic) throw FormatFault("magic " + hex(kMagic), hex(magic), offset);
    const uint64_t length = word & kLengthMask;
    if (kHeadSize + padded(length) > n_left)
        throw cut_short(std::to_string(length) + " bytes and their padding", n_left - kHeadSize, offset);
    return {word >> kLengthBits, offset + kHeadSize, length};
}

}  // namespace

void frame_record(Span record, std::vector<uint8_t>& out) {
    size_t begin = 0;
    bool split = false;
    for (;;) {
        const size_t magic = find_magic(record, begin);
        const bool last = magic == record.size;
        const uint32_t flag = last ? (split ? kLast : kWhole) : (split ? kMiddle : kFirst);
        const size_t length = magic - begin, head = out.size();
        out.resize(head + kHeadSize + padded(length));
        put_word(&out[head], kMagic);
        put_word(&out[head + 4], flag << kLengthBits | static_cast<uint32_t>(length));
        if (length) std::memcpy(&out[head + kHeadSize], record.data + begin, length);
        if (last) return;
        split = true;
        begin = magic + 4;
    }
}

Extent find_record(Span file, uint64_t offset) {
    Extent extent{offset, 0, 0, true};
    uint64_t n_parts = 0;
    for (uint64_t part_offset = offset;;) {
        const Part part = part_at(file, part_offset);
        const bool continues = part.flag == kMiddle || part.flag == kLast;
        if (continues != (n_parts > 0) || part.flag > kLast) {
            const std::string expected = n_parts ? "2 or 3 (the record goes on)" : "0 or 1 (a record begins)";
            throw FormatFault("cflag " + expected, std::to_string(part.flag), part_offset);
        }
        extent.length += part.length + (n_parts ? 4 : 0);
        ++n_parts;
        if (extent.length > kMaxRecordBytes)
            throw FormatFault("a record shorter than 2**29 bytes", "a longer one", part_offset);
        if (part.flag == kWhole || part.flag == kLast) {
            extent.end = part.begin + padded(part.length);
            extent.single_part = part.flag == kWhole;
            return extent;
        }
        if (part.length % 4)
            throw FormatFault("a part of a multiple of 4 bytes", std::to_string(part.length), part_offset);
        part_offset = part.begin + part.length;
    }
}

// Another process may have written to the file since the record was found, so the lengths of its parts are checked
// again.
void copy_record(Span file, const Extent& extent, uint8_t* out) {
    uint64_t n_left = extent.length;
    if (extent.single_part && n_left) std::memcpy(out, file.data + extent.offset + kHeadSize, n_left);
    if (extent.single_part) return;
    for (uint64_t part_offset = extent.offset; part_offset < extent.end;) {
        const Part part = part_at(file, part_offset);
        const uint64_t magic = part_offset == extent.offset ? 0 : 4;  // the writer removes the magic between two parts
        if (magic + part.length > n_left) throw record_changed(part_offset);
        n_left -= magic + part.length;
        if (magic) put_word(out, kMagic);
        if (part.length) std::memcpy(out + magic, file.data + part.begin, part.length);
        out += magic + part.length;
        part_offset = part.begin + padded(part.length);
    }
    if (n_left) throw record_changed(extent.offset);
}

std::vector<uint64_t> scan(Span file, uint64_t begin, const InterruptCheck& check_interrupt) {
    std::vector<uint64_t> offsets;
    uint64_t prefetched = begin, step = 0;
    while (begin < file.size) {
        const Extent extent = find_record(file, begin);
        offsets.push_back(begin);
        if (offsets.size() % kRecordsPerCheck == 0) check_interrupt();
        begin = extent.end;
        const uint64_t previous_step = std::exchange(step, begin - extent.offset);
        if (step == previous_step || step > kPrefetchBytes) continue;
        // Small records: prefetching all bytes up to the next heads is faster than waiting for each head. The processor
        // itself prefetches a step that repeats.
        const uint64_t until = std::min(file.size, begin + kPrefetchBytes);
        for (prefetched = std::max(prefetched, begin); prefetched < until; prefetched += kCacheLineBytes)
            __builtin_prefetch(file.data + prefetched);
    }
    return offsets;
}

uint64_t next_head(Span file, uint64_t offset) {
    if (offset >= file.size) return file.size;  // also prevents overflow below
    for (offset = padded(offset); offset + kHeadSize <= file.size; offset += 4) {
        const Span rest = file.sub(offset, file.size - offset - 4);  // the second word of the head follows
        offset += find_magic(rest, 0);
        if (offset + kHeadSize > file.size) break;
        if (read_word(file.data + offset) == kMagic && read_word(file.data + offset + 4) >> kLengthBits <= kFirst)
            return offset;
    }
    return file.size;
}

}  // namespace recordkit

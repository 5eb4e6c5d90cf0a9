#include "records.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

namespace recordkit {
namespace {

constexpr uint64_t kAheadBytes = 4096, kLineBytes = 64;
constexpr uint32_t kLengthMask = (uint32_t(1) << 29) - 1;
enum Flag : uint32_t { kWhole, kFirst, kMiddle, kLast };

uint32_t word_at(const uint8_t* at) {
    return uint32_t(at[0]) | uint32_t(at[1]) << 8 | uint32_t(at[2]) << 16 | uint32_t(at[3]) << 24;
}

void put_word(uint8_t* at, uint32_t word) {
    for (int n = 0; n < 4; ++n) at[n] = static_cast<uint8_t>(word >> 8 * n);
}

uint64_t padded(uint64_t size) { return (size + 3) & ~uint64_t(3); }

// The first multiple of 4 from `begin` on that holds the magic; record.size if there is none.
size_t find_magic(Span record, size_t begin) {
    static const uint8_t magic[4] = {0x0a, 0x23, 0xd7, 0xce};
    while (begin + 4 <= record.size) {
        const void* hit = memmem(record.data + begin, record.size - begin, magic, 4);
        if (!hit) break;
        const size_t at = static_cast<size_t>(static_cast<const uint8_t*>(hit) - record.data);
        if (at % 4 == 0) return at;
        begin = at + 1;
    }
    return record.size;
}

std::string hex(uint32_t word) {
    char text[11];
    std::snprintf(text, sizeof text, "0x%08x", word);
    return text;
}

FormatFault cut(const std::string& expected, uint64_t got, uint64_t offset) {
    return FormatFault(expected, std::to_string(got) + " bytes to the end of the file", offset, true);
}

FormatFault changed(uint64_t offset) {
    return FormatFault("the file to keep its records while it is read", "others", offset, false, "open it again");
}

struct Part {
    uint32_t flag;
    uint64_t begin;  // of the data
    uint64_t length;
};

Part part_at(Span file, uint64_t offset) {
    if (offset >= file.size)
        throw FormatFault("a record head", "the end of the file at byte " + std::to_string(file.size), offset, true);
    const uint64_t left = file.size - offset;
    if (left < kHeadSize) throw cut("an 8-byte head", left, offset);
    const uint32_t magic = word_at(file.data + offset), word = word_at(file.data + offset + 4);
    if (magic != kMagic) throw FormatFault("magic " + hex(kMagic), hex(magic), offset);
    const uint64_t length = word & kLengthMask;
    if (kHeadSize + padded(length) > left)
        throw cut(std::to_string(length) + " bytes and their padding", left - kHeadSize, offset);
    return {word >> 29, offset + kHeadSize, length};
}

}  // namespace

void frame_record(Span record, std::vector<uint8_t>& out) {
    size_t begin = 0;
    bool split = false;
    for (;;) {
        const size_t hit = find_magic(record, begin);
        const bool last = hit == record.size;
        const uint32_t flag = last ? (split ? kLast : kWhole) : (split ? kMiddle : kFirst);
        const size_t length = hit - begin, at = out.size();
        out.resize(at + kHeadSize + padded(length));
        put_word(&out[at], kMagic);
        put_word(&out[at + 4], flag << 29 | static_cast<uint32_t>(length));
        if (length) std::memcpy(&out[at + kHeadSize], record.data + begin, length);
        if (last) return;
        split = true;
        begin = hit + 4;
    }
}

Extent find_record(Span file, uint64_t offset) {
    Extent extent{offset, 0, 0, true};
    uint64_t n_parts = 0;
    for (uint64_t place = offset;;) {
        const Part part = part_at(file, place);
        const bool goes_on = part.flag == kMiddle || part.flag == kLast;
        if (goes_on != (n_parts > 0) || part.flag > kLast) {
            const std::string expected = n_parts ? "2 or 3 (the record goes on)" : "0 or 1 (a record begins)";
            throw FormatFault("cflag " + expected, std::to_string(part.flag), place);
        }
        extent.length += part.length + (n_parts ? 4 : 0);
        ++n_parts;
        if (extent.length > kMaxRecordBytes)
            throw FormatFault("a record shorter than 2**29 bytes", "a longer one", offset);
        if (part.flag == kWhole || part.flag == kLast) {
            extent.end = part.begin + padded(part.length);
            extent.whole = part.flag == kWhole;
            return extent;
        }
        if (part.length % 4) throw FormatFault("a part of a multiple of 4 bytes", std::to_string(part.length), place);
        place = part.begin + part.length;
    }
}

// Another process may write to the file since the record was found, so what its parts say by now must fit the extent.
void copy_record(Span file, const Extent& extent, uint8_t* out) {
    uint64_t room = extent.length;
    if (extent.whole && room) std::memcpy(out, file.data + extent.offset + kHeadSize, room);
    if (extent.whole) return;
    for (uint64_t place = extent.offset; place < extent.end;) {
        const Part part = part_at(file, place);
        const uint64_t magic = place == extent.offset ? 0 : 4;  // the writer left it out between two parts
        if (magic + part.length > room) throw changed(place);
        room -= magic + part.length;
        if (magic) put_word(out, kMagic);
        if (part.length) std::memcpy(out + magic, file.data + part.begin, part.length);
        out += magic + part.length;
        place = part.begin + padded(part.length);
    }
    if (room) throw changed(extent.offset);
}

std::vector<uint64_t> scan(Span file, uint64_t begin, const Pause& pause) {
    std::vector<uint64_t> offsets;
    uint64_t asked = begin, step = 0;
    while (begin < file.size) {
        const Extent extent = find_record(file, begin);
        offsets.push_back(begin);
        if (offsets.size() % kPauseRecords == 0) pause();
        begin = extent.end;
        const uint64_t before = std::exchange(step, begin - extent.offset);
        if (step == before || step > kAheadBytes) continue;
        // Waiting for one head after the other takes longer than fetching all that is between small records. A step
        // that repeats is one that the processor guesses by itself.
        const uint64_t until = std::min(file.size, begin + kAheadBytes);
        for (asked = std::max(asked, begin); asked < until; asked += kLineBytes) __builtin_prefetch(file.data + asked);
    }
    return offsets;
}

uint64_t next_head(Span file, uint64_t offset) {
    if (offset >= file.size) return file.size;  // also keeps the sums below from wrapping
    for (offset = padded(offset); offset + kHeadSize <= file.size; offset += 4) {
        const Span rest = file.sub(offset, file.size - offset - 4);  // a head's second word follows
        offset += find_magic(rest, 0);
        if (offset + kHeadSize > file.size) break;
        if (word_at(file.data + offset) == kMagic && word_at(file.data + offset + 4) >> 29 <= kFirst) return offset;
    }
    return file.size;
}

}  // namespace recordkit

#include "records.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <string>

namespace recordkit {
namespace {

// Bytes after the window that are near: to read them too costs less than another system call.
constexpr uint64_t kNearBytes = 8192;
constexpr size_t kMaxAheadBytes = size_t(1) << 18;
// This much of a longer record is read together with its head, and no more, because the end may be wrong.
constexpr uint64_t kMaxProbableBytes = 1 << 20;
// A scan asks the system to read this far ahead, after the first bytes: a short scan, such as one between two damaged
// places, does not.
constexpr uint64_t kScanAheadBytes = 1 << 22, kScanStartBytes = 1 << 16;
// A scan tells at least after so many bytes how far it is.
constexpr uint64_t kScanCallBytes = 1 << 26;

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

constexpr uint8_t kMagicBytes[4] = {0x0a, 0x23, 0xd7, 0xce};

uint32_t read_word(const uint8_t* bytes) {
    return uint32_t(bytes[0]) | uint32_t(bytes[1]) << 8 | uint32_t(bytes[2]) << 16 | uint32_t(bytes[3]) << 24;
}

void put_word(uint8_t* out, uint32_t word) {
    for (int n = 0; n < 4; ++n) out[n] = static_cast<uint8_t>(word >> 8 * n);
}

uint64_t padded(uint64_t size) { return (size + 3) & ~uint64_t(3); }

// The first multiple of 4 from `begin` on that holds the magic; record.size if there is none.
size_t find_magic(Span record, size_t begin) {
    while (begin + 4 <= record.size) {
        const void* match = memmem(record.data + begin, record.size - begin, kMagicBytes, 4);
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
    return {expected, plural(got, "byte") + " to the end of the file", offset, true};
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

bool parse_record(Span bytes, std::vector<uint8_t>& joined, Record* record) {
    joined.clear();
    size_t begin = 0, length = 0;
    for (bool is_first = true;; is_first = false) {
        if (bytes.size - begin < kHeadSize || read_word(bytes.data + begin) != kMagic) return false;
        const uint32_t word = read_word(bytes.data + begin + 4), flag = word >> kLengthBits;
        const size_t size = word & kLengthMask;
        begin += kHeadSize;
        length += size + (is_first ? 0 : sizeof kMagicBytes);
        const bool goes_on = flag == kFirst || flag == kMiddle;
        if (flag > kLast || is_first != (flag == kWhole || flag == kFirst) || length > kMaxRecordBytes ||
            (goes_on && size % 4) || padded(size) > bytes.size - begin)
            return false;
        const Span data = bytes.sub(begin, size);
        begin += padded(size);
        if (flag == kWhole) {
            *record = {data, begin};
            return true;
        }
        if (!is_first) joined.insert(joined.end(), std::begin(kMagicBytes), std::end(kMagicBytes));
        joined.insert(joined.end(), data.data, data.data + data.size);
        if (!goes_on) {
            *record = {{joined.data(), joined.size()}, begin};
            return true;
        }
    }
}

FormatFault record_changed(uint64_t offset) {
    return {"the file to keep its records while it is read", "others", offset, false, "open it again"};
}

RecordReader::RecordReader(const File& file, Scratch& scratch, size_t block_bytes)
    : file_(&file), scratch_(scratch), block_bytes_(block_bytes), ahead_bytes_(block_bytes) {}

void RecordReader::use(const File& file) {
    if (&file != file_) size_ = 0;
    file_ = &file;
}

// Bytes that the file had when it was opened.
Span RecordReader::bytes(uint64_t offset, size_t size) {
    const Span kept = file_->kept(offset, size);
    if (kept.data) return kept;
    if (offset < begin_ || offset + size > begin_ + size_) move_window(offset, size);
    if (offset + size > begin_ + size_) throw file_->shrunk(record_);
    return {scratch_.data() + (offset - begin_), size};
}

// Let the window begin at `offset`, with at least `size` bytes unless the file ends earlier by now.
void RecordReader::move_window(uint64_t offset, size_t size) {
    const uint64_t end = begin_ + size_;
    const bool follows = size_ && offset >= begin_ && offset <= end + kNearBytes;
    ahead_bytes_ = std::max(block_bytes_, follows ? std::min(2 * ahead_bytes_, kMaxAheadBytes) : 0);
    const auto wanted = static_cast<size_t>(std::min<uint64_t>(std::max(size, ahead_bytes_), file_->size() - offset));
    const size_t n_kept = follows && offset < end ? static_cast<size_t>(end - offset) : 0;
    if (n_kept) std::memmove(scratch_.data(), scratch_.data() + (offset - begin_), n_kept);
    size_ = 0;  // if an exception ends this function
    if (scratch_.size() < wanted) scratch_.resize(wanted);
    const MutableSpan rest{scratch_.data() + n_kept, wanted - n_kept};
    const size_t n_read = file_->read(offset + n_kept, rest, size > n_kept ? size - n_kept : 0);
    begin_ = offset;
    size_ = n_kept + n_read;
}

RecordReader::Part RecordReader::part_at(uint64_t offset) {
    const uint64_t file_size = file_->size();
    if (offset >= file_size)
        throw FormatFault("a record head", "the end of the file at byte " + std::to_string(file_size), offset, true);
    const uint64_t n_left = file_size - offset;
    if (n_left < kHeadSize) throw cut_short("an 8-byte head", n_left, offset);
    const Span head = bytes(offset, kHeadSize);
    const uint32_t magic = read_word(head.data), word = read_word(head.data + 4);
    if (magic != kMagic) throw FormatFault("magic " + hex(kMagic), hex(magic), offset);
    const uint64_t length = word & kLengthMask;
    if (kHeadSize + padded(length) > n_left)
        throw cut_short(plural(length, "byte") + " and their padding", n_left - kHeadSize, offset);
    return {word >> kLengthBits, offset + kHeadSize, length};
}

// Call take(part) for each part of a record, after the checks of its head, which another head may refute.
template <typename Take>
Extent RecordReader::each_part(uint64_t offset, const Take& take) {
    record_ = offset;
    Extent extent{offset, 0, 0, true};
    uint64_t n_parts = 0;
    for (uint64_t part_offset = offset;;) {
        const Part part = part_at(part_offset);
        const bool continues = part.flag == kMiddle || part.flag == kLast;
        if (continues != (n_parts > 0) || part.flag > kLast) {
            const std::string expected = n_parts ? "2 or 3 (the record goes on)" : "0 or 1 (a record begins)";
            throw FormatFault("cflag " + expected, std::to_string(part.flag), part_offset);
        }
        extent.length += part.length + (n_parts ? 4 : 0);
        ++n_parts;
        if (extent.length > kMaxRecordBytes)
            throw FormatFault("a record shorter than 2**29 bytes", "a longer one", part_offset);
        const bool goes_on = part.flag == kFirst || part.flag == kMiddle;
        if (goes_on && part.length % 4)
            throw FormatFault("a part of a multiple of 4 bytes", std::to_string(part.length), part_offset);
        take(part);
        if (!goes_on) {
            extent.end = part.begin + padded(part.length);
            extent.single_part = part.flag == kWhole;
            return extent;
        }
        part_offset = part.begin + part.length;
    }
}

Extent RecordReader::find(uint64_t offset) {
    return each_part(offset, [](const Part&) {});
}

Record RecordReader::read(uint64_t offset, uint64_t probable_end) {
    if (probable_end > offset && offset < file_->size()) {
        const uint64_t size = std::min(probable_end - offset, kMaxProbableBytes);
        block_bytes_ = static_cast<size_t>(std::max<uint64_t>(size, kHeadSize));
    }
    Record record{};
    joined_.clear();
    record.end = each_part(offset, [&](const Part& part) {
                     const Span data = bytes(part.begin, part.length);
                     if (part.flag == kWhole) {
                         record.bytes = data;
                         return;
                     }
                     if (part.flag != kFirst)
                         joined_.insert(joined_.end(), std::begin(kMagicBytes), std::end(kMagicBytes));
                     joined_.insert(joined_.end(), data.data, data.data + data.size);
                     record.bytes = {joined_.data(), joined_.size()};
                 }).end;
    return record;
}

Span RecordReader::read_start(uint64_t offset, size_t size, uint64_t* length) {
    record_ = offset;
    const Part part = part_at(offset);
    if (part.flag == kWhole) {
        *length = part.length;
        return bytes(part.begin, std::min<size_t>(size, part.length));
    }
    const Span record = read(offset).bytes;
    *length = record.size;
    return record;
}

std::vector<uint64_t> scan(const File& file, uint64_t begin, const ScanProgress& reached) {
    std::vector<uint64_t> offsets;
    uint64_t last_call = begin;
    Scratch scratch;
    RecordReader reader(file, scratch, RecordReader::kHeadBlockBytes);
    for (uint64_t advised = begin + kScanStartBytes; begin < file.size();) {
        if (begin >= advised) {
            file.will_need(begin, begin + kScanAheadBytes);
            advised = begin + kScanAheadBytes / 2;
        }
        const uint64_t end = reader.find(begin).end;
        offsets.push_back(begin);
        begin = end;
        if (offsets.size() % kRecordsPerCheck == 0 || begin - last_call >= kScanCallBytes) {
            reached(begin);
            last_call = begin;
        }
    }
    return offsets;
}

}  // namespace recordkit

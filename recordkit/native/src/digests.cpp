#include "digests.hpp"

#include <cstring>

#include "deflate.hpp"
#include "headers.hpp"
#include "records.hpp"

namespace recordkit {
namespace {

Span payload_of(Span record, uint64_t offset) {
    const uint64_t begin = header_end(record.data, record.size, offset);
    return record.sub(begin, record.size - begin);
}

}  // namespace

void digest_records(const File& file, const uint64_t* offsets, size_t n, bool payload, uint64_t* lengths,
                    uint32_t* checksums) {
    ThreadScratch scratch;
    RecordReader reader(file, scratch);
    for (size_t i = 0; i < n; ++i) {
        const uint64_t next = i + 1 < n && offsets[i + 1] > offsets[i] ? offsets[i + 1] : 0;
        const Record record = reader.read(offsets[i], next);
        const Span bytes = payload ? payload_of(record.bytes, offsets[i]) : record.bytes;
        lengths[i] = bytes.size;
        checksums[i] = crc32_of(bytes);
    }
}

void compare_payloads(const File& file, const uint64_t* offsets, const File& other, const uint64_t* other_offsets,
                      size_t n, uint8_t* out, bool* in_other) {
    Scratch scratch, other_scratch;
    RecordReader reader(file, scratch), other_reader(other, other_scratch);
    for (size_t i = 0; i < n; ++i) {
        *in_other = false;
        const Span payload = payload_of(reader.read(offsets[i]).bytes, offsets[i]);
        *in_other = true;
        const Span other_payload = payload_of(other_reader.read(other_offsets[i]).bytes, other_offsets[i]);
        const bool is_same_size = payload.size == other_payload.size;
        out[i] = is_same_size && (!payload.size || !std::memcmp(payload.data, other_payload.data, payload.size));
    }
}

}  // namespace recordkit

#include "copy_records.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <numeric>

#include "deflate.hpp"
#include "headers.hpp"

namespace recordkit {
namespace {

// Records with gaps up to this size between them are read together, because another system call costs more.
constexpr uint64_t kMaxGapBytes = 1 << 14;
// The gaps are read too, and small records may have gaps of many times their size. This bounds the memory for them.
constexpr uint64_t kMaxStretchBytes = 1 << 22;
// A record that seems to be longer is looked for first, because its end may be wrong.
constexpr uint64_t kMaxTrustedBytes = 1 << 20;

std::string hex(uint32_t word) {
    char text[9];
    std::snprintf(text, sizeof text, "%08x", word);
    return text;
}

template <typename T>
T read_little_endian(const uint8_t* bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

// Tell whether a word of the record is the magic, so that it needs a frame of several parts. Sixteen words are compared
// at a time, without a branch for each, so that the compiler uses vectors.
bool has_magic(Span record) {
    constexpr size_t kWords = 16;
    const size_t n_words = record.size / 4;
    size_t n = 0;
    for (; n + kWords <= n_words; n += kWords) {
        uint32_t words[kWords], found = 0;
        std::memcpy(words, record.data + 4 * n, sizeof words);
        for (const uint32_t word : words) found |= static_cast<uint32_t>(word == kMagic);
        if (found) return true;
    }
    for (; n < n_words; ++n)
        if (read_little_endian<uint32_t>(record.data + 4 * n) == kMagic) return true;
    return false;
}

// Consecutive records of the order of reading that are read at once: those near each other in one file.
struct Stretch {
    size_t first, last;   // positions in the order of reading; last is behind
    uint64_t begin, end;  // offsets in the file
};

class Copier {
  public:
    Copier(const CopyRequest& request, size_t* row, Scratch&& frames) : request_(request), row_(*row) {
        result_.frames = std::move(frames);
        result_.frames.clear();
    }

    CopiedRecords run() {
        result_.sizes.reserve(request_.n);
        result_.checksums.reserve(request_.n);
        result_.widths.reserve(request_.n);
        find_ends();
        order_.resize(request_.n);
        std::iota(order_.begin(), order_.end(), size_t(0));
        const auto is_before = [&](size_t a, size_t b) {
            return std::make_pair(request_.file_numbers[a], request_.offsets[a]) <
                   std::make_pair(request_.file_numbers[b], request_.offsets[b]);
        };
        const bool in_order = std::adjacent_find(order_.begin(), order_.end(), [&](size_t a, size_t b) {
                                  return !is_before(a, b);  // also a record that is copied twice
                              }) == order_.end();
        if (!in_order) std::sort(order_.begin(), order_.end(), is_before);
        const std::vector<Stretch> stretches = find_stretches();
        advise(stretches);
        result_.frames.reserve(static_cast<size_t>(record_bytes() + kMaxStretchBytes));
        if (in_order) {
            for (const Stretch& stretch : stretches) copy_stretch(stretch);
        } else {
            copy_scattered(stretches);
        }
        return std::move(result_);
    }

  private:
    const File& file_of(size_t row) const { return *request_.files[static_cast<size_t>(request_.file_numbers[row])]; }

    void find_ends() {
        ends_.resize(request_.n);
        ThreadScratch scratch;
        for (row_ = 0; row_ < request_.n; ++row_) {
            const uint64_t offset = request_.offsets[row_];
            const File& file = file_of(row_);
            uint64_t end = std::min(request_.ends[row_], file.size());
            if (end <= offset || end - offset > kMaxTrustedBytes)
                end = std::max(offset, std::min(end, RecordReader(file, scratch).find(offset).end));
            ends_[row_] = end;
        }
    }

    std::vector<Stretch> find_stretches() const {
        std::vector<Stretch> stretches;
        for (size_t n = 0; n < request_.n; ++n) {
            const size_t row = order_[n];
            const uint64_t offset = request_.offsets[row];
            const bool goes_on = n && request_.file_numbers[row] == request_.file_numbers[order_[n - 1]] &&
                                 offset <= stretches.back().end + kMaxGapBytes &&
                                 ends_[row] <= stretches.back().begin + kMaxStretchBytes;
            if (!goes_on) stretches.push_back({n, n, offset, offset});
            stretches.back().last = n + 1;
            stretches.back().end = std::max(stretches.back().end, ends_[row]);
        }
        return stretches;
    }

    // Let the system read all stretches at once, unless it seems to have them.
    void advise(const std::vector<Stretch>& stretches) const {
        if (stretches.size() < 2 || file_of(order_[0]).is_cached(stretches[0].begin)) return;
        for (const Stretch& stretch : stretches) file_of(order_[stretch.first]).will_need(stretch.begin, stretch.end);
    }

    uint64_t record_bytes() const {
        uint64_t total = 0;
        for (size_t row = 0; row < request_.n; ++row) total += ends_[row] - request_.offsets[row];
        return total;
    }

    void read(const Stretch& stretch, uint8_t* out) {
        row_ = order_[stretch.first];
        const File& file = file_of(row_);
        const auto size = static_cast<size_t>(stretch.end - stretch.begin);
        if (file.read(stretch.begin, {out, size}) < size) throw file.shrunk(stretch.begin);
    }

    // Read the bytes into the result, where records that stay in their place need no copy.
    void copy_stretch(const Stretch& stretch) {
        const size_t base = result_.frames.size();
        const auto size = static_cast<size_t>(stretch.end - stretch.begin);
        result_.frames.resize(base + size);
        read(stretch, result_.frames.data() + base);
        size_t n = stretch.first, done = 0;
        for (; n < stretch.last; ++n) {
            row_ = order_[n];
            if (request_.offsets[row_] - stretch.begin != done) break;  // there is a gap
            const size_t frame_size = copy_in_place({result_.frames.data() + base + done, size - done});
            if (!frame_size) break;
            done += frame_size;
        }
        if (n < stretch.last) {
            const auto rest = static_cast<size_t>(request_.offsets[order_[n]] - stretch.begin);
            if (rest < done) return copy_overlapping(stretch, n, base + done);
            scratch_.assign(result_.frames.begin() + static_cast<ptrdiff_t>(base + rest), result_.frames.end());
            result_.frames.resize(base + done);
            for (; n < stretch.last; ++n) {
                row_ = order_[n];
                const auto begin = static_cast<size_t>(request_.offsets[row_] - stretch.begin) - rest;
                append({scratch_.data() + begin, scratch_.size() - begin});
            }
        } else {
            result_.frames.resize(base + done);
        }
    }

    // Append the records of a stretch from the n-th on, which begins inside one that was copied and perhaps changed, as
    // only wrong offsets say. Each is read by itself.
    void copy_overlapping(const Stretch& stretch, size_t n, size_t n_done) {
        result_.frames.resize(n_done);
        for (; n < stretch.last; ++n) {
            row_ = order_[n];
            append(read_again());
        }
    }

    // Read everything in the order of the files, then append in the order of the request.
    void copy_scattered(const std::vector<Stretch>& stretches) {
        Scratch records;  // without the gaps
        std::vector<size_t> begins(request_.n);
        records.reserve(static_cast<size_t>(record_bytes()));
        for (const Stretch& stretch : stretches) {
            scratch_.resize(static_cast<size_t>(stretch.end - stretch.begin));
            read(stretch, scratch_.data());
            for (size_t n = stretch.first; n < stretch.last; ++n) {
                const size_t row = order_[n];
                const uint8_t* data = scratch_.data() + (request_.offsets[row] - stretch.begin);
                begins[row] = records.size();
                records.insert(records.end(), data, data + (ends_[row] - request_.offsets[row]));
            }
        }
        for (row_ = 0; row_ < request_.n; ++row_)
            append({records.data() + begins[row_], static_cast<size_t>(ends_[row_] - request_.offsets[row_])});
    }

    // Check the record at the beginning of `bytes`, and change its header there. Return the size of its frame; 0 if it
    // has to be framed anew or is not whole.
    size_t copy_in_place(MutableSpan bytes) {
        Record record{};
        if (!parse_record({bytes.data, bytes.size}, joined_, &record)) return 0;
        const uint32_t checksum = checked_sum(record.bytes);
        if (!change_header(record.bytes)) {
            add(record.end, checksum);
            return record.end;
        }
        const bool keeps_size = header_.size() == old_header_size_ && record.bytes.data == bytes.data + kHeadSize;
        if (!keeps_size) return 0;
        if (has_magic({header_.data(), header_.size()}) ||
            has_magic(record.bytes.sub(header_.size(), record.bytes.size - header_.size())))
            return 0;
        std::memcpy(bytes.data + kHeadSize, header_.data(), header_.size());
        const size_t end = kHeadSize + record.bytes.size;
        std::memset(bytes.data + end, 0, record.end - end);
        add(record.end, crc32_of(record.bytes));
        return record.end;
    }

    // Append the record at the beginning of `bytes` to the result.
    void append(Span bytes) {
        Record record{};
        if (!parse_record(bytes, joined_, &record)) {
            bytes = read_again();
            if (!parse_record(bytes, joined_, &record)) throw record_changed(request_.offsets[row_]);
        }
        const uint32_t checksum = checked_sum(record.bytes);
        if (!change_header(record.bytes)) {
            result_.frames.insert(result_.frames.end(), bytes.data, bytes.data + record.end);
            return add(record.end, checksum);
        }
        changed_.assign(header_.begin(), header_.end());
        changed_.insert(changed_.end(), record.bytes.data + old_header_size_, record.bytes.data + record.bytes.size);
        if (changed_.size() > kMaxRecordBytes)
            throw FormatFault("a record shorter than 2**29 bytes", std::to_string(changed_.size()) + " bytes",
                              request_.offsets[row_], false, "give it fewer labels");
        framed_.clear();
        frame_record({changed_.data(), changed_.size()}, framed_);
        result_.frames.insert(result_.frames.end(), framed_.begin(), framed_.end());
        add(framed_.size(), crc32_of({changed_.data(), changed_.size()}));
    }

    // Read a record that is damaged, so that the fault says how, or that is longer than its end says.
    Span read_again() {
        const uint64_t offset = request_.offsets[row_];
        const File& file = file_of(row_);
        const Extent extent = RecordReader(file, window_).find(offset);
        again_.resize(static_cast<size_t>(extent.end - offset));
        if (file.read(offset, {again_.data(), again_.size()}) < again_.size()) throw file.shrunk(offset);
        return {again_.data(), again_.size()};
    }

    uint32_t checked_sum(Span record) const {
        const uint32_t checksum = crc32_of(record);
        const int64_t expected = request_.checksums[row_];
        if (expected >= 0 && static_cast<uint32_t>(expected) != checksum)
            throw FormatFault("CRC-32 " + hex(static_cast<uint32_t>(expected)), hex(checksum), request_.offsets[row_]);
        return checksum;
    }

    // Make the header that the record gets. Return whether it is another one than it has.
    bool change_header(Span record) {
        old_header_size_ = static_cast<size_t>(header_end(record.data, record.size, request_.offsets[row_]));
        const auto flag = read_little_endian<uint32_t>(record.data);
        width_ = std::max<uint32_t>(1, flag);
        if (!request_.new_keys && !request_.new_labels) return false;
        header_.assign(record.data, record.data + old_header_size_);
        if (request_.new_labels) change_labels(flag);
        if (request_.new_keys) std::memcpy(&header_[8], &request_.new_keys[row_], 8);
        return header_.size() != old_header_size_ || std::memcmp(header_.data(), record.data, old_header_size_) != 0;
    }

    void change_labels(uint32_t flag) {
        const uint64_t begin = request_.new_bounds[row_], width = request_.new_bounds[row_ + 1] - begin;
        const float* const labels = request_.new_labels + begin;
        if (width == width_ && !std::memcmp(&header_[flag ? kImageHeaderSize : 4], labels, 4 * width)) return;
        const bool is_vector = width > 1 || flag == 1;
        const auto new_flag = static_cast<uint32_t>(is_vector ? width : 0);
        width_ = static_cast<uint32_t>(width);
        header_.resize(kImageHeaderSize);
        std::memcpy(header_.data(), &new_flag, 4);
        std::memset(&header_[4], 0, 4);
        if (!is_vector) {
            std::memcpy(&header_[4], labels, 4);
        } else {
            header_.resize(kImageHeaderSize + 4 * static_cast<size_t>(width));
            std::memcpy(&header_[kImageHeaderSize], labels, 4 * width);
        }
    }

    void add(uint64_t size, uint32_t checksum) {
        result_.sizes.push_back(size);
        result_.checksums.push_back(checksum);
        result_.widths.push_back(width_);
    }

    const CopyRequest& request_;
    size_t& row_;
    CopiedRecords result_;
    std::vector<uint64_t> ends_;
    std::vector<size_t> order_;  // rows in the order of reading
    Scratch scratch_, again_, window_;
    std::vector<uint8_t> joined_, changed_, framed_;
    std::vector<uint8_t> header_;  // of the current record, changed
    size_t old_header_size_ = 0;
    uint32_t width_ = 0;
};

}  // namespace

CopiedRecords copy_records(const CopyRequest& request, size_t* row, Scratch frames) {
    return Copier(request, row, std::move(frames)).run();
}

}  // namespace recordkit

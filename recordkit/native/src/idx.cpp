#include "idx.hpp"

#include <atomic>
#include <charconv>
#include <cstring>

#include "pool.hpp"

namespace recordkit {
namespace {

// The limits of recordkit/formats/idx.py, which refuses a line with more than kMaxLineBytes before the end of a block.
// It accepts a longer line inside a block, which may be two numbers and many blanks.
constexpr uint64_t kBlockBytes = 1 << 20;
constexpr uint64_t kMaxLineBytes = 256;

bool is_blank(uint8_t c) { return c == ' ' || c == '\t'; }

// Parses one line, without its line feed.
struct LineParser {
    const uint8_t* next;  // not owned: a text that each_line goes through
    const uint8_t* end;

    void skip_blanks() {
        while (next < end && is_blank(*next)) ++next;
    }
    // Read 1 to 20 digits; false if there are none, or if the number does not fit 64 bits.
    bool read_number(uint64_t* value) {
        const uint8_t* const begin = next;
        uint64_t sum = 0;
        for (; next < end && *next >= '0' && *next <= '9'; ++next) {
            const uint64_t digit = *next - '0';
            if (next - begin >= 19 && (next - begin >= 20 || sum > (UINT64_MAX - digit) / 10)) return false;
            sum = sum * 10 + digit;
        }
        *value = sum;
        return next > begin;
    }
    bool at_end() {
        skip_blanks();
        if (next < end && *next == '\r') ++next;
        return next == end;
    }
};

enum class LineKind : uint8_t { row, blank, fault };

LineKind parse(const uint8_t* begin, const uint8_t* end, uint64_t* key, uint64_t* offset) {
    LineParser line{begin, end};
    line.skip_blanks();
    if (line.next == end || (*line.next == '\r' && line.next + 1 == end)) return LineKind::blank;
    if (!line.read_number(key)) return LineKind::fault;
    const uint8_t* const gap = line.next;
    line.skip_blanks();
    return line.next > gap && line.read_number(offset) && line.at_end() ? LineKind::row : LineKind::fault;
}

void read(const FileDescriptor& file, uint64_t offset, size_t size, std::vector<uint8_t>& out) {
    out.resize(size);
    out.resize(file.read(offset, {out.data(), size}));
}

// The beginning of a line, up to 60 bytes, for the error.
std::string excerpt(const uint8_t* begin, const uint8_t* end) {
    const auto size = static_cast<size_t>(end - begin);
    return {reinterpret_cast<const char*>(begin), std::min<size_t>(size, 60)};
}

// Tell whether a line, given as a range of the file's bytes, is one that idx.py refuses for its length.
bool too_long(uint64_t begin, uint64_t end, uint64_t file_size) {
    const uint64_t last_block_end = end == file_size ? end : end / kBlockBytes * kBlockBytes;
    return last_block_end > begin + kMaxLineBytes;
}

// Call take(begin, end, number) for each line of a text; numbers begin with 0.
template <typename Take>
void each_line(const std::vector<uint8_t>& text, Take&& take) {
    const uint8_t* line = text.data();
    const uint8_t* const end = line + text.size();
    for (uint64_t number = 0; line < end; ++number) {
        const auto* line_feed = static_cast<const uint8_t*>(std::memchr(line, '\n', static_cast<size_t>(end - line)));
        const uint8_t* const stop = line_feed ? line_feed : end;
        take(line, stop, number);
        line = stop + 1;
    }
}

}  // namespace

IdxFile::IdxFile(const std::string& path, unsigned n_threads)
    : file_(path), n_threads_(n_threads), file_size_(file_.size(path)) {
    std::vector<uint8_t> scratch;
    for (uint64_t begin = 0; begin < file_size_;) {
        const uint64_t end = line_end(std::min(file_size_, begin / kBlockBytes * kBlockBytes + kBlockBytes), scratch);
        blocks_.push_back({begin, end, 0, 0});
        begin = end;
    }
    std::vector<uint64_t> n_lines(blocks_.size()), n_rows(blocks_.size());
    parallel_for(blocks_.size(), 1, n_threads, [&](size_t first, size_t last) {
        std::vector<uint8_t> text;
        for (size_t n = first; n < last; ++n) {
            recordkit::read(file_, blocks_[n].begin, blocks_[n].end - blocks_[n].begin, text);
            each_line(text, [&](const uint8_t* line, const uint8_t* stop, uint64_t number) {
                n_lines[n] = number + 1;
                while (line < stop && (is_blank(*line) || *line == '\r')) ++line;
                n_rows[n] += line < stop;
            });
        }
    });
    uint64_t next_line = 1;
    for (size_t n = 0; n < blocks_.size(); ++n) {
        blocks_[n].first_line = next_line;
        blocks_[n].first_row = n_rows_;
        next_line += n_lines[n];
        n_rows_ += n_rows[n];
    }
}

// Find the end of the line that contains `offset`, the end of a block; at most one block after `offset`.
uint64_t IdxFile::line_end(uint64_t offset, std::vector<uint8_t>& text) const {
    // Nearly all lines end within kMaxLineBytes.
    for (uint64_t length = kMaxLineBytes; offset < file_size_; length = kBlockBytes) {
        const uint64_t size = std::min(length, file_size_ - offset);
        recordkit::read(file_, offset, size, text);
        const void* line_feed = text.empty() ? nullptr : std::memchr(text.data(), '\n', text.size());
        if (line_feed) return offset + static_cast<uint64_t>(static_cast<const uint8_t*>(line_feed) - text.data()) + 1;
        if (length == kBlockBytes || text.size() < size) return offset + size;
    }
    return offset;
}

bool IdxFile::read(IdxColumns columns) const {
    std::atomic<bool> in_order{true};
    parallel_for(blocks_.size(), 1, n_threads_, [&](size_t first, size_t last) {
        std::vector<uint8_t> text;
        for (size_t n = first; n < last; ++n) {
            if (!columns.keys && !in_order.load(std::memory_order_relaxed))
                return;  // the caller reads again, with keys
            const TextBlock& block = blocks_[n];
            recordkit::read(file_, block.begin, block.end - block.begin, text);
            const uint64_t end_row = n + 1 < blocks_.size() ? blocks_[n + 1].first_row : n_rows_;
            uint64_t row = block.first_row;
            each_line(text, [&](const uint8_t* line, const uint8_t* stop, uint64_t number) {
                uint64_t key = 0, offset = 0;
                LineKind kind = parse(line, stop, &key, &offset);
                if (stop - line > static_cast<ptrdiff_t>(kMaxLineBytes)) {
                    const uint64_t line_begin = block.begin + static_cast<uint64_t>(line - text.data());
                    if (too_long(line_begin, line_begin + static_cast<uint64_t>(stop - line), file_size_))
                        kind = LineKind::fault;
                }
                if (kind == LineKind::blank) return;
                if (kind == LineKind::fault || row == end_row)
                    throw IdxLineFault(excerpt(line, stop), block.first_line + number);
                if (columns.keys) columns.keys[row] = key;
                else if (key != row) in_order.store(false, std::memory_order_relaxed);
                columns.offsets[row++] = offset;
            });
            if (row != end_row)
                throw FormatFault("the file to keep its lines while it is read", "fewer", block.begin, true,
                                  "open it again");
        }
    });
    return columns.keys || in_order.load();
}

void append_idx_lines(const uint64_t* keys, const uint64_t* offsets, size_t n, std::vector<uint8_t>& out) {
    constexpr size_t kDigits = 20;  // of the largest number
    char line[2 * kDigits + 2];
    for (size_t i = 0; i < n; ++i) {
        char* end = std::to_chars(line, line + kDigits, keys[i]).ptr;
        *end++ = '\t';
        end = std::to_chars(end, end + kDigits, offsets[i]).ptr;
        *end++ = '\n';
        out.insert(out.end(), line, end);
    }
}

}  // namespace recordkit

#include "idx.hpp"

#include <atomic>
#include <cstring>

#include "pool.hpp"

namespace recordkit {
namespace {

// Both as in recordkit/formats/idx.py, which reads in blocks and gives up a line that is cut by the end of one after
// this many bytes; a longer line that no end cuts may still be numbers with many blanks.
constexpr uint64_t kBlockBytes = 1 << 20;
constexpr uint64_t kMaxLineBytes = 256;

bool is_blank(uint8_t c) { return c == ' ' || c == '\t'; }

// Reads one line, without its line feed.
struct Line {
    const uint8_t* at;
    const uint8_t* end;

    void blanks() {
        while (at < end && is_blank(*at)) ++at;
    }
    // 1 to 20 digits that fit 64 bits.
    bool number(uint64_t* value) {
        const uint8_t* const begin = at;
        uint64_t sum = 0;
        for (; at < end && *at >= '0' && *at <= '9'; ++at) {
            const uint64_t digit = *at - '0';
            if (at - begin >= 19 && (at - begin >= 20 || sum > (UINT64_MAX - digit) / 10)) return false;
            sum = sum * 10 + digit;
        }
        *value = sum;
        return at > begin;
    }
    bool ends() {
        blanks();
        if (at < end && *at == '\r') ++at;
        return at == end;
    }
};

enum class Kind { row, blank, fault };

Kind parse(const uint8_t* begin, const uint8_t* end, uint64_t* key, uint64_t* offset) {
    Line line{begin, end};
    line.blanks();
    if (line.at == end || (*line.at == '\r' && line.at + 1 == end)) return Kind::blank;
    if (!line.number(key)) return Kind::fault;
    const uint8_t* const gap = line.at;
    line.blanks();
    return line.at > gap && line.number(offset) && line.ends() ? Kind::row : Kind::fault;
}

void read(const Handle& handle, uint64_t begin, size_t size, std::vector<uint8_t>& out) {
    out.resize(size);
    out.resize(handle.read(begin, size, out.data()));
}

// The text that an error shows: the first 60 bytes.
std::string shown(const uint8_t* begin, const uint8_t* end) {
    const size_t size = static_cast<size_t>(end - begin);
    return std::string(reinterpret_cast<const char*>(begin), size < 60 ? size : 60);
}

// Tell whether a line, of the file's bytes begin to end, is given up for its length.
bool too_long(uint64_t begin, uint64_t end, uint64_t file_size) {
    const uint64_t cut = end == file_size ? end : end / kBlockBytes * kBlockBytes;
    return cut > begin + kMaxLineBytes;
}

// Calls take(begin, end, number) for each line of a text, from number 0 on.
template <typename Take>
void each_line(const std::vector<uint8_t>& text, Take&& take) {
    const uint8_t* at = text.data();
    const uint8_t* const end = at + text.size();
    for (uint64_t number = 0; at < end; ++number) {
        const auto* feed = static_cast<const uint8_t*>(std::memchr(at, '\n', static_cast<size_t>(end - at)));
        const uint8_t* const stop = feed ? feed : end;
        take(at, stop, number);
        at = stop + 1;
    }
}

}  // namespace

IdxFile::IdxFile(const std::string& path, unsigned n_threads)
    : handle_(path), n_threads_(n_threads), file_size_(handle_.size(path)) {
    std::vector<uint8_t> window;
    for (uint64_t begin = 0; begin < file_size_;) {
        const uint64_t end = line_end(std::min(file_size_, begin / kBlockBytes * kBlockBytes + kBlockBytes), window);
        stretches_.push_back({begin, end, 0, 0});
        begin = end;
    }
    std::vector<uint64_t> n_lines(stretches_.size()), n_rows(stretches_.size());
    parallel_for(stretches_.size(), 1, n_threads, [&](size_t first, size_t last) {
        std::vector<uint8_t> text;
        for (size_t n = first; n < last; ++n) {
            recordkit::read(handle_, stretches_[n].begin, stretches_[n].end - stretches_[n].begin, text);
            each_line(text, [&](const uint8_t* at, const uint8_t* stop, uint64_t number) {
                n_lines[n] = number + 1;
                while (at < stop && (is_blank(*at) || *at == '\r')) ++at;
                n_rows[n] += at < stop;
            });
        }
    });
    uint64_t line = 1;
    for (size_t n = 0; n < stretches_.size(); ++n) {
        stretches_[n].first_line = line;
        stretches_[n].first_row = n_;
        line += n_lines[n];
        n_ += n_rows[n];
    }
}

// Where the line that goes on at `place`, a block's end, has its own; a block further on if it has none before.
uint64_t IdxFile::line_end(uint64_t place, std::vector<uint8_t>& window) const {
    for (uint64_t span = kMaxLineBytes; place < file_size_; span = kBlockBytes) {  // nearly always within the first
        const uint64_t size = std::min(span, file_size_ - place);
        recordkit::read(handle_, place, size, window);
        const void* feed = window.empty() ? nullptr : std::memchr(window.data(), '\n', window.size());
        if (feed) return place + static_cast<uint64_t>(static_cast<const uint8_t*>(feed) - window.data()) + 1;
        if (span == kBlockBytes || window.size() < size) return place + size;
    }
    return place;
}

bool IdxFile::read(Columns columns) const {
    std::atomic<bool> in_order{true};
    parallel_for(stretches_.size(), 1, n_threads_, [&](size_t first, size_t last) {
        std::vector<uint8_t> text;
        for (size_t n = first; n < last; ++n) {
            if (!columns.keys && !in_order.load(std::memory_order_relaxed)) return;  // to be read again, with keys
            const Stretch& stretch = stretches_[n];
            recordkit::read(handle_, stretch.begin, stretch.end - stretch.begin, text);
            const uint64_t end_row = n + 1 < stretches_.size() ? stretches_[n + 1].first_row : n_;
            uint64_t row = stretch.first_row;
            each_line(text, [&](const uint8_t* at, const uint8_t* stop, uint64_t number) {
                uint64_t key = 0, offset = 0;
                Kind kind = parse(at, stop, &key, &offset);
                if (stop - at > static_cast<ptrdiff_t>(kMaxLineBytes)) {
                    const uint64_t place = stretch.begin + static_cast<uint64_t>(at - text.data());
                    if (too_long(place, place + static_cast<uint64_t>(stop - at), file_size_)) kind = Kind::fault;
                }
                if (kind == Kind::blank) return;
                if (kind == Kind::fault || row == end_row)
                    throw LineFault(shown(at, stop), stretch.first_line + number);
                if (columns.keys) columns.keys[row] = key;
                else if (key != row) in_order.store(false, std::memory_order_relaxed);
                columns.offsets[row++] = offset;
            });
            if (row != end_row)
                throw FormatFault("the file to keep its lines while it is read", "fewer", stretch.begin, true,
                                  "open it again");
        }
    });
    return columns.keys || in_order.load();
}

}  // namespace recordkit

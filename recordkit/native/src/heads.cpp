#include "heads.hpp"

#include <algorithm>
#include <cstring>

#include "records.hpp"

namespace recordkit {
namespace {

constexpr uint64_t kBlockBytes = uint64_t(1) << 20;
constexpr uint32_t kLastFlag = 3;

uint32_t read_little_endian(const uint8_t* bytes) {
    uint32_t word;
    std::memcpy(&word, bytes, sizeof word);
    return word;
}

}  // namespace

Heads find_heads(const File& file, uint64_t begin, uint64_t end) {
    Heads heads;
    if (file.size() < kHeadSize) return heads;
    end = std::min(end, file.size() - kHeadSize + 1);
    Scratch block;
    for (uint64_t start = begin; start < end; start += kBlockBytes) {
        const auto n_starts = static_cast<size_t>(std::min(kBlockBytes, end - start));
        block.resize(n_starts + kHeadSize - 1);
        file.will_need(start + block.size(), start + block.size() + kBlockBytes);
        // A file that another process cuts short meanwhile has no heads behind its end.
        const size_t n_read = file.read(start, {block.data(), block.size()});
        for (size_t at = 0; at < n_starts && at + kHeadSize <= n_read;) {
            const void* match = memmem(block.data() + at, n_read - at, &kMagic, sizeof kMagic);
            if (!match) break;
            at = static_cast<size_t>(static_cast<const uint8_t*>(match) - block.data());
            if (at >= n_starts || at + kHeadSize > n_read) break;
            const uint32_t word = read_little_endian(block.data() + at + 4);
            if (word >> 29 <= kLastFlag) {
                heads.offsets.push_back(start + at);
                heads.words.push_back(word);
            }
            ++at;
        }
    }
    return heads;
}

}  // namespace recordkit

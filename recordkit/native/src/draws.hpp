// Random numbers for one transform of one sample. The definition is recordkit/transforms/draws.py.
#pragma once

#include <cstdint>

namespace recordkit {

// Philox4x32-10, with a key and a 128-bit counter:
//
//     key      word 0, 1     seed, low word first
//     counter  word 0, 1     position of the sample in the epoch, low word first
//              word 2        epoch
//              word 3        bits 31-16: number of the transform, bits 15-0: number of the block of 4 random words
class Draws {
  public:
    Draws(uint64_t seed, uint32_t epoch, uint64_t position, uint32_t transform)
        : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
          counter_{static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32), epoch,
                   transform << kBlockBits} {}

    uint32_t word() {
        if (n_drawn_ % 4 == 0) next_block();
        return block_[n_drawn_++ % 4];
    }
    double uniform(double low, double high) { return low + (high - low) * (word() * 0x1p-32); }
    uint32_t below(uint32_t n) { return static_cast<uint32_t>(uint64_t(word()) * n >> 32); }

  private:
    static constexpr int kBlockBits = 16, kTransformBits = 16;
    static_assert(kBlockBits + kTransformBits == 32, "counter word 3 has 32 bits");

    void next_block() {
        uint32_t a = counter_[0], b = counter_[1], c = counter_[2], d = counter_[3] | n_drawn_ / 4;
        uint32_t low = key_[0], high = key_[1];
        for (int round = 0; round < 10; ++round, low += 0x9E3779B9, high += 0xBB67AE85) {
            const uint64_t first = uint64_t(0xD2511F53) * a, second = uint64_t(0xCD9E8D57) * c;
            a = static_cast<uint32_t>(second >> 32) ^ b ^ low;
            c = static_cast<uint32_t>(first >> 32) ^ d ^ high;
            b = static_cast<uint32_t>(second);
            d = static_cast<uint32_t>(first);
        }
        block_[0] = a, block_[1] = b, block_[2] = c, block_[3] = d;
    }

    // NOLINTNEXTLINE(modernize-use-default-member-init): the constructor computes them
    uint32_t key_[2], counter_[4], block_[4] = {};
    uint32_t n_drawn_ = 0;
};

}  // namespace recordkit

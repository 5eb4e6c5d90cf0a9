#include <zlib.h>

#include <array>
#include <climits>

#include "deflate.hpp"

namespace recordkit {
namespace {

// zlib's state, which the thread that created it owns and reuses.
struct Inflater {
    z_stream stream{};

    Inflater() {
        if (inflateInit(&stream) != Z_OK) throw std::bad_alloc();
    }
    ~Inflater() { inflateEnd(&stream); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
};

struct Deflater {
    z_stream stream{};

    explicit Deflater(int level) {
        if (deflateInit(&stream, level) != Z_OK) throw std::bad_alloc();
    }
    ~Deflater() { deflateEnd(&stream); }
    Deflater(const Deflater&) = delete;
    Deflater& operator=(const Deflater&) = delete;
};

// Give the stream its buffers. zlib does not write to next_in, and counts in 32 bits; return false if they are larger.
bool set_buffers(z_stream& stream, Span in, MutableSpan out) {
    if (in.size > UINT_MAX || out.size > UINT_MAX) return false;
    stream.next_in = const_cast<uint8_t*>(in.data);
    stream.avail_in = static_cast<uInt>(in.size);
    stream.next_out = out.data;
    stream.avail_out = static_cast<uInt>(out.size);
    return true;
}

}  // namespace

DeflateLibrary deflate_library() { return {"zlib", zlibVersion()}; }

bool zlib_decompress(Span packed, MutableSpan out) {
    thread_local Inflater inflater;
    z_stream& stream = inflater.stream;
    return inflateReset(&stream) == Z_OK && set_buffers(stream, packed, out) &&
           inflate(&stream, Z_FINISH) == Z_STREAM_END && !stream.avail_in && !stream.avail_out;
}

size_t zlib_compress(Span data, int level, std::vector<uint8_t>& out) {
    thread_local std::array<std::unique_ptr<Deflater>, 10> deflaters;
    auto& deflater = deflaters.at(level);
    if (!deflater) deflater = std::make_unique<Deflater>(level);
    z_stream& stream = deflater->stream;
    deflateReset(&stream);
    const size_t bound = deflateBound(&stream, data.size);
    if (out.size() < bound) out.resize(bound);
    const bool ended = set_buffers(stream, data, {out.data(), bound}) && deflate(&stream, Z_FINISH) == Z_STREAM_END;
    return ended ? stream.total_out : 0;
}

uint32_t crc32_of(Span data) { return static_cast<uint32_t>(crc32_z(0, data.data, data.size)); }

}  // namespace recordkit

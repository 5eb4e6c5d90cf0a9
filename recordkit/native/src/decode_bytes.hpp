// The memory that decoding an image takes, from its header.
#pragma once

#include "common.hpp"

namespace recordkit {

// Return the most bytes that decode_jpeg, decode_png or view_raw with `to_channels` allocate for an image, in addition
// to its payload. 0 for an image that the core leaves to the reference engine by its header: of an unknown format, of a
// damaged header, or with too many pixels. `channels` is that of decode_jpeg.
uint64_t decode_bytes(Span payload, int channels);

}  // namespace recordkit

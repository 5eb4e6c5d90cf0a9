// Raw images: binary Netpbm P5 (gray), P6 (RGB) or P7 (RGBA), maximum 255, without comments.
#pragma once

#include "common.hpp"

namespace recordkit {

// View the pixels inside `payload`, which must outlive the view. Throws Unsupported.
ImageView view_raw(Span payload);

void encode_raw(const ImageView& image, std::vector<uint8_t>& out);

}  // namespace recordkit

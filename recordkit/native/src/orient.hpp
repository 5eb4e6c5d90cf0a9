// EXIF orientation, and conversion between numbers of channels, with the results of recordkit.codec.
#pragma once

#include "common.hpp"

namespace recordkit {

// Orientation (1 to 8) in a TIFF block, which is EXIF without its "Exif\0\0"; 1 if the block has none.
int exif_orientation(Span block);

// Rotate and mirror an image that has this orientation, so that it is upright.
Image upright(Image image, int orientation);

// Convert 1, 3 or 4 channels to RGB (3), gray (1) or RGBA (4): gray is repeated, alpha is dropped or set to 255, and
// gray is 0.299 R + 0.587 G + 0.114 B.
Image to_channels(const ImageView& image, uint32_t channels);

}  // namespace recordkit

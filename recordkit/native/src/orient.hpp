// Turning images by their EXIF orientation, and changing their number of channels, as recordkit.codec does.
#pragma once

#include "common.hpp"

namespace recordkit {

// Orientation 1 to 8 in a TIFF block (EXIF without its "Exif\0\0"); 1 also where the block says nothing.
int exif_orientation(Span block);

// Make an image upright that has this orientation.
Image upright(Image image, int orientation);

// RGB (3), gray (1) or RGB and alpha (4), from 1, 3 or 4 channels: gray repeated, alpha dropped or 255,
// 0.299 R + 0.587 G + 0.114 B.
Image to_channels(const ImageView& image, uint32_t channels);

}  // namespace recordkit
